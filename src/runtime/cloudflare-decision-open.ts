// Requests under way that isolates tell a `DecisionLog` object of: listed until they end, given up when nobody tells of them
// any more.

import type { OpenRecord } from '../record/open-record.ts'

/** How long it is remembered that a request was given up, should it come to an end after all. */
const GIVEN_UP_MS = 86_400_000

/** One given up has no record. */
const SCHEMA = `CREATE TABLE IF NOT EXISTS under_way (decision_id TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL,
  record TEXT) WITHOUT ROWID`

export class OpenRequests {
  readonly #sql: SqlStorage
  readonly #open = new Set<string>()
  readonly #givenUp = new Set<string>()

  constructor(sql: SqlStorage) {
    this.#sql = sql
    sql.exec(SCHEMA)
    const rows = sql.exec<{ decision_id: string; is_open: number }>(
      'SELECT decision_id, record IS NOT NULL AS is_open FROM under_way',
    )
    for (const { decision_id: id, is_open: isOpen } of rows) (isOpen === 1 ? this.#open : this.#givenUp).add(id)
  }

  /** Without those that were given up. */
  get count(): number {
    return this.#open.size
  }

  isGivenUp(id: string): boolean {
    return this.#givenUp.has(id)
  }

  note(record: OpenRecord, nowMs: number): void {
    const { decision_id: id } = record
    this.#sql.exec('INSERT OR REPLACE INTO under_way VALUES (?, ?, ?)', id, nowMs, JSON.stringify(record))
    this.#open.add(id)
  }

  /** These have ended. */
  forget(ids: Iterable<string>): void {
    if (this.#open.size + this.#givenUp.size === 0) return
    for (const id of ids) {
      const isKnown = this.#open.delete(id) || this.#givenUp.delete(id)
      if (isKnown) this.#sql.exec('DELETE FROM under_way WHERE decision_id = ?', id)
    }
  }

  list(): readonly OpenRecord[] {
    if (this.#open.size === 0) return []
    return this.#records('SELECT record FROM under_way WHERE record IS NOT NULL')
  }

  /** Those that nobody has told of since. */
  unheardSince(sinceMs: number): readonly OpenRecord[] {
    if (this.#open.size === 0) return []
    return this.#records('SELECT record FROM under_way WHERE record IS NOT NULL AND seen_ms <= ?', sinceMs)
  }

  giveUp(ids: Iterable<string>, nowMs: number): void {
    for (const id of ids) {
      this.#sql.exec('UPDATE under_way SET record = NULL, seen_ms = ? WHERE decision_id = ?', nowMs, id)
      this.#open.delete(id)
      this.#givenUp.add(id)
    }
  }

  tidy(nowMs: number): void {
    if (this.#givenUp.size === 0) return
    const old = this.#sql.exec<{ decision_id: string }>(
      'DELETE FROM under_way WHERE record IS NULL AND seen_ms < ? RETURNING decision_id',
      nowMs - GIVEN_UP_MS,
    )
    for (const { decision_id: id } of old) this.#givenUp.delete(id)
  }

  #records(statement: string, ...values: readonly number[]): readonly OpenRecord[] {
    const rows = this.#sql.exec<{ record: string }>(statement, ...values)
    return Array.from(rows, ({ record }) => JSON.parse(record) as OpenRecord) // written by `note`
  }
}
