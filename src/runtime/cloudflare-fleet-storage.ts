// What a `Fleet` object keeps for its next life: it can be put away between any two calls.

import type { KeptWorker } from '../store/fleet-health.ts'
import type { FleetState } from '../store/fleet-state.ts'
import type { ResponseOwner } from '../store/fleet-store.ts'
import type { TurnCount } from '../store/turn-counts.ts'

const WORKER_PREFIX = 'worker/'
const TURN_COUNTS: readonly TurnCount[] = ['leased', 'strict']

/** Longest part of a model's name that its turns are kept under; a key of Cloudflare's takes 2 KiB. */
const MAX_NAME_LENGTH = 500

const KEEP_RESPONSE = `
  INSERT INTO responses VALUES (?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET worker = excluded.worker, expires_at = excluded.expires_at
  WHERE responses.tenant IS excluded.tenant`

export class FleetStorage {
  readonly #storage: DurableObjectStorage
  #hasTable = false

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** What was known of each worker. */
  async workers(): Promise<readonly KeptWorker[]> {
    const kept = await this.#storage.list<KeptWorker['memo']>({ prefix: WORKER_PREFIX })
    return Array.from(kept, ([key, memo]) => ({ workerId: key.slice(WORKER_PREFIX.length), memo }))
  }

  /** One row a worker that has changed: those of the others are not written again, as rows written are paid for. */
  async keepWorkers(changes: readonly KeptWorker[]): Promise<void> {
    // Writes without an `await` in between reach the disk together.
    const writes = changes.map(({ workerId, memo }) => {
      const key = WORKER_PREFIX + workerId.slice(0, MAX_NAME_LENGTH)
      return memo === null ? this.#storage.delete(key) : this.#storage.put(key, memo)
    })
    await Promise.all(writes)
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
  async keepTurn(state: FleetState, count: TurnCount, key: string): Promise<void> {
    const next = state.nextTurn(count, key)
    await this.#storage.put(`${count}/${key.slice(0, MAX_NAME_LENGTH)}`, next, { allowUnconfirmed: true })
  }

  /** Also drops responses that have expired. An id that another tenant's response has stays that tenant's. */
  rememberResponse(responseId: string, { workerId, tenant }: ResponseOwner, expiresAtMs: number): void {
    const sql = this.#responses()
    sql.exec('DELETE FROM responses WHERE expires_at <= ?', Date.now())
    sql.exec(KEEP_RESPONSE, responseId, workerId, tenant, expiresAtMs)
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
