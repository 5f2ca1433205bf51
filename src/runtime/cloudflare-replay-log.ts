// The Durable Object `ReplayLog`: the records of one decision, in SQLite, no more and no longer than it is told. One more
// object of the class knows which of them there are.

import { DurableObject } from 'cloudflare:workers'
import type { ReplayRecord } from '../capture/replay-record.ts'
import { wantsAll } from '../store/decision-filters.ts'
import { ReplayPageBuilder } from '../store/replay-page.ts'
import type { ReplayShard } from '../store/replay-shard.ts'
import type { ReplayPage, ReplayQuery } from '../store/replay-store.ts'
import { parseReplay, type StoredReplay } from '../store/stored-replay.ts'
import type { RouterEnv } from './cloudflare-env.ts'

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS replays (id TEXT PRIMARY KEY, time INTEGER NOT NULL, expires INTEGER, record TEXT NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS replays_by_time ON replays (time, id)',
  'CREATE INDEX IF NOT EXISTS replays_by_expiry ON replays (expires) WHERE expires IS NOT NULL',
  'CREATE TABLE IF NOT EXISTS namespaces (name TEXT PRIMARY KEY)',
]

/** Expired records are seen by nobody; this is how soon after that they are gone from the disk as well. */
const SWEEP_MS = 60_000

type Row = { readonly record: string }

export class ReplayLog extends DurableObject<RouterEnv> implements ReplayShard {
  readonly #sql = this.ctx.storage.sql

  constructor(state: DurableObjectState, env: RouterEnv) {
    super(state, env)
    for (const statement of SCHEMA) this.#sql.exec(statement)
  }

  async put(records: readonly StoredReplay[], maxRecords: number): Promise<void> {
    // Without an `await` in between everything reaches the disk together, or nothing does.
    for (const { id, timeMs, expiresAtMs, text } of records) {
      this.#sql.exec('INSERT OR REPLACE INTO replays VALUES (?, ?, ?, ?)', id, timeMs, expiresAtMs, text)
    }
    this.#forgetExpired()
    this.#sql.exec(
      `DELETE FROM replays WHERE id IN (SELECT id FROM replays ORDER BY time DESC, id DESC LIMIT -1 OFFSET ?)`,
      maxRecords,
    )
    await this.#armForExpiry()
  }

  async list(query: ReplayQuery): Promise<ReplayPage> {
    this.#forgetExpired()
    if (wantsAll(query.filters) && query.filters.sinceMs === undefined && query.filters.untilMs === undefined) {
      return this.#listAll(query)
    }
    const builder = new ReplayPageBuilder(query)
    for (const { record } of this.#sql.exec<Row>('SELECT record FROM replays ORDER BY time DESC, id DESC')) {
      builder.offer(parseReplay(record), record.length)
    }
    return builder.page()
  }

  async find(id: string): Promise<ReplayRecord | null> {
    this.#forgetExpired()
    const [row] = this.#sql.exec<Row>('SELECT record FROM replays WHERE id = ?', id)
    return row === undefined ? null : parseReplay(row.record)
  }

  async announce(namespace: string): Promise<void> {
    this.#sql.exec('INSERT OR IGNORE INTO namespaces VALUES (?)', namespace)
  }

  async namespaces(): Promise<readonly string[]> {
    return Array.from(this.#sql.exec<{ name: string }>('SELECT name FROM namespaces'), ({ name }) => name)
  }

  override async alarm(): Promise<void> {
    this.#forgetExpired()
    await this.#armForExpiry()
  }

  /** Reads no more than the page takes, and one more that tells whether there is another. */
  #listAll(query: ReplayQuery): ReplayPage {
    const { timeMs, id } = query.after ?? { timeMs: Number.MAX_SAFE_INTEGER, id: '' }
    const builder = new ReplayPageBuilder(query)
    const rows = this.#sql.exec<Row>(
      'SELECT record FROM replays WHERE (time, id) < (?, ?) ORDER BY time DESC, id DESC LIMIT ?',
      timeMs,
      id,
      query.offset + query.limit + 1,
    )
    for (const { record } of rows) {
      builder.offer(parseReplay(record), record.length)
      if (builder.isFull) break
    }
    const { total } = this.#sql.exec<{ total: number }>('SELECT COUNT(*) AS total FROM replays').one()
    return { ...builder.page(), total }
  }

  #forgetExpired(): void {
    this.#sql.exec('DELETE FROM replays WHERE expires <= ?', Date.now())
  }

  async #armForExpiry(): Promise<void> {
    const { first } = this.#sql.exec<{ first: number | null }>('SELECT MIN(expires) AS first FROM replays').one()
    if (first === null || (await this.ctx.storage.getAlarm()) !== null) return
    await this.ctx.storage.setAlarm(Math.max(first, Date.now() + SWEEP_MS))
  }
}
