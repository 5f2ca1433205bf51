// ReplayStore in PostgreSQL: a table with a row for each record. What writes to one decision's rows goes one after the other,
// so that routers side by side keep no more of them than they are told.

import type { ReplayRecord } from '../capture/replay-record.ts'
import { namespaceOf } from '../capture/replay-record.ts'
import type { ReplayPostgresConfig } from '../config/config.ts'
import { wantsAll } from './decision-filters.ts'
import type { Position } from './decision-log.ts'
import { MAX_PAGE_LENGTH, ReplayPageBuilder, replayPosition } from './replay-page.ts'
import { migrate } from './replay-postgres-schema.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'
import { parseReplay, toStoredReplay } from './stored-replay.ts'

export type SqlValue = string | number | null

/** Runs one statement; numbers that JavaScript can't hold come as text. */
export type SqlQuery = (text: string, values: readonly SqlValue[]) => Promise<readonly Record<string, unknown>[]>

/** What is used of a client. */
export interface SqlClient {
  /** On one connection, all or nothing. */
  transaction<Result>(work: (query: SqlQuery) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

export interface PostgresReplayOptions {
  readonly client: SqlClient
  readonly config: Pick<ReplayPostgresConfig, 'schema' | 'table'>
  now(): number
}

/** Rows that are read at a time. */
const READ_AT_ONCE = 200

/** Comes after every other in the list. */
const NEWEST: Position = { timeMs: Number.MAX_SAFE_INTEGER, id: '' }

export class PostgresReplayStore implements ReplayStore {
  readonly backend = 'postgres'
  readonly #options: PostgresReplayOptions
  /** The table's name as SQL writes it; schema and name have been checked to be plain. */
  readonly #table: string
  #isMigrated = false

  constructor(options: PostgresReplayOptions) {
    this.#options = options
    this.#table = `"${options.config.schema}"."${options.config.table}"`
  }

  async put(namespace: string, records: readonly ReplayRecord[], keeping: ReplayKeeping): Promise<void> {
    const rows = records.map((record) => {
      const { id, timeMs, expiresAtMs, text } = toStoredReplay(record, keeping)
      return { id, decision: namespaceOf(record), ended_at_ms: timeMs, expires_at_ms: expiresAtMs, record: text }
    })
    await this.#run(async (query) => {
      await query('SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))', [this.#table, namespace])
      await query(
        `INSERT INTO ${this.#table} (id, decision, ended_at_ms, expires_at_ms, record)
          SELECT * FROM json_to_recordset($1::text::json)
            AS rows (id text, decision text, ended_at_ms bigint, expires_at_ms bigint, record text)
          ON CONFLICT (id) DO UPDATE SET decision = excluded.decision, ended_at_ms = excluded.ended_at_ms,
            expires_at_ms = excluded.expires_at_ms, record = excluded.record`,
        [JSON.stringify(rows)],
      )
      await this.#forgetExpired(query)
      await query(
        `DELETE FROM ${this.#table} WHERE id IN (SELECT id FROM ${this.#table} WHERE decision = $1
          ORDER BY ended_at_ms DESC, id COLLATE "C" DESC OFFSET $2::text::bigint)`,
        [namespace, String(keeping.maxRecords)],
      )
    })
  }

  list(query: ReplayQuery): Promise<ReplayPage> {
    const { sinceMs, untilMs } = query.filters
    const isWhole = wantsAll(query.filters) && sinceMs === undefined && untilMs === undefined
    return this.#run(async (ask) => {
      await this.#forgetExpired(ask)
      return isWhole ? this.#listWhole(ask, query) : this.#listMatching(ask, query)
    })
  }

  find(id: string): Promise<ReplayRecord | null> {
    return this.#run(async (query) => {
      await this.#forgetExpired(query)
      const [row] = await query(`SELECT record FROM ${this.#table} WHERE id = $1`, [id])
      return row === undefined ? null : parseReplay(String(row['record']))
    })
  }

  close(): Promise<void> {
    return this.#options.client.close()
  }

  async #listWhole(ask: SqlQuery, query: ReplayQuery): Promise<ReplayPage> {
    const builder = new ReplayPageBuilder({ ...query, offset: 0 })
    // One more than the page takes tells whether there is another.
    const parts = this.#read(ask, query.after ?? NEWEST, { offset: query.offset, limit: query.limit + 1 })
    for await (const text of parts) {
      builder.offer(parseReplay(text), text.length)
      if (builder.isFull) break
    }
    const [row] = await ask(`SELECT count(*) AS total FROM ${this.#table}`, [])
    return { ...builder.page(), total: Number(row?.['total']) }
  }

  async #listMatching(ask: SqlQuery, query: ReplayQuery): Promise<ReplayPage> {
    const builder = new ReplayPageBuilder(query)
    for await (const text of this.#read(ask, NEWEST, { offset: 0, limit: READ_AT_ONCE })) {
      builder.offer(parseReplay(text), text.length)
    }
    return builder.page()
  }

  /** All that come after this one but for the first `offset`, `limit` at a time, or fewer when they are long. */
  async *#read(
    ask: SqlQuery,
    from: Position,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): AsyncGenerator<string> {
    for (let [after, skipped] = [from, offset]; ; skipped = 0) {
      const rows = await ask(
        `SELECT record FROM (
          SELECT record, ended_at_ms, id,
            sum(octet_length(record)) OVER (ORDER BY ended_at_ms DESC, id COLLATE "C" DESC) AS up_to_here
          FROM (SELECT * FROM ${this.#table} WHERE (ended_at_ms, id COLLATE "C") < ($1::text::bigint, $2)
            ORDER BY ended_at_ms DESC, id COLLATE "C" DESC OFFSET $3::text::bigint LIMIT $4::text::bigint) AS next
        ) AS summed
        WHERE up_to_here - octet_length(record) <= $5::text::bigint
        ORDER BY ended_at_ms DESC, id COLLATE "C" DESC`,
        [String(after.timeMs), after.id, String(skipped), String(limit), String(MAX_PAGE_LENGTH)],
      )
      const texts = rows.map((row) => String(row['record']))
      yield* texts
      const last = texts.at(-1)
      if (last === undefined) return
      after = replayPosition(parseReplay(last))
    }
  }

  /** Rows that another router deletes at this moment are left to it: two that wait for each other would both fail. */
  async #forgetExpired(query: SqlQuery): Promise<void> {
    await query(
      `DELETE FROM ${this.#table} WHERE id IN (SELECT id FROM ${this.#table}
        WHERE expires_at_ms <= $1::text::bigint FOR UPDATE SKIP LOCKED)`,
      [String(this.#options.now())],
    )
  }

  /** The table is made before it is first used, by whichever router comes first. */
  async #run<Result>(work: (query: SqlQuery) => Promise<Result>): Promise<Result> {
    const { client, config } = this.#options
    if (!this.#isMigrated) {
      await client.transaction((query) => migrate(query, config))
      this.#isMigrated = true
    }
    return client.transaction(work)
  }
}
