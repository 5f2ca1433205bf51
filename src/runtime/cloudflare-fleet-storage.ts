// What a `Fleet` object keeps for its next life: it can be put away between any two calls.

import type { TurnCount } from '../store/fleet-state.ts'
import type { ResponseOwner, WorkerObservation } from '../store/fleet-store.ts'

const OBSERVATIONS_KEY = 'observations'
const TURN_COUNTS: readonly TurnCount[] = ['leased', 'strict']

/** Longest part of a model's name that its turns are kept under; a key of Cloudflare's takes 2 KiB. */
const MAX_NAME_LENGTH = 500

export class FleetStorage {
  readonly #storage: DurableObjectStorage
  #hasTable = false

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** What the last round of probes learned; null when there was none. */
  async observations(): Promise<readonly WorkerObservation[] | null> {
    return (await this.#storage.get<readonly WorkerObservation[]>(OBSERVATIONS_KEY)) ?? null
  }

  async keepObservations(observations: readonly WorkerObservation[]): Promise<void> {
    await this.#storage.put(OBSERVATIONS_KEY, observations)
  }

  /** Where every count of turns stood. */
  async turns(): Promise<readonly { readonly count: TurnCount; readonly key: string; readonly next: number }[]> {
    const lists = TURN_COUNTS.map(async (count) => {
      const kept = await this.#storage.list<number>({ prefix: `${count}/` })
      return Array.from(kept, ([name, next]) => ({ count, key: name.slice(count.length + 1), next }))
    })
    return (await Promise.all(lists)).flat()
  }

  /** Does not hold up the answer until it is on disk: a turn lost in a crash does little harm. */
  async keepTurn(count: TurnCount, key: string, next: number): Promise<void> {
    await this.#storage.put(`${count}/${key.slice(0, MAX_NAME_LENGTH)}`, next, { allowUnconfirmed: true })
  }

  /** Also drops responses that have expired. */
  rememberResponse(responseId: string, { workerId, tenant }: ResponseOwner, expiresAtMs: number): void {
    const sql = this.#responses()
    sql.exec('INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?)', responseId, workerId, tenant, expiresAtMs)
    sql.exec('DELETE FROM responses WHERE expires_at < ?', Date.now())
  }

  findResponse(responseId: string): ResponseOwner | null {
    const [row] = this.#responses()
      .exec<{ worker: string; tenant: string | null }>(
        'SELECT worker, tenant FROM responses WHERE id = ? AND expires_at > ?',
        responseId,
        Date.now(),
      )
      .toArray()
    return row === undefined ? null : { workerId: row.worker, tenant: row.tenant }
  }

  forgetResponse(responseId: string): void {
    this.#responses().exec('DELETE FROM responses WHERE id = ?', responseId)
  }

  #responses(): SqlStorage {
    const { sql } = this.#storage
    if (this.#hasTable) return sql
    sql.exec(
      'CREATE TABLE IF NOT EXISTS responses (id TEXT PRIMARY KEY, worker TEXT NOT NULL, tenant TEXT, expires_at REAL NOT NULL)',
    )
    // Rows read are paid for: without it, each response stored would read all others to find the expired ones.
    sql.exec('CREATE INDEX IF NOT EXISTS responses_by_expiry ON responses (expires_at)')
    this.#hasTable = true
    return sql
  }
}
