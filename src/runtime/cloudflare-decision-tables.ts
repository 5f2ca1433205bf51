// The tables of a `DecisionLog` object. A row for each record says what it is found by; its line is there until the export
// has it and newer records have come, after that it is in the segment that holds its number. Rows written are paid for, so
// a record is written when it comes, once more when its line goes, and when it is forgotten.

import type { DecisionFacets } from '../store/decision-filters.ts'
import type { Position, TimeRange } from '../store/decision-log.ts'

/** A record as the tables find it. A type, not an interface: those of SQL have an index signature. */
export type DecisionRow = {
  readonly [Name in keyof DecisionFacets]-?: Exclude<DecisionFacets[Name], undefined>
} & {
  readonly seq: number
  readonly decision_id: string
  readonly time: number
  /** 0 once the line is in the export alone. */
  readonly has_line: number
  /** With the line feed. */
  readonly bytes: number
  /** 0 for one that the export leaves out. */
  readonly is_exported: number
}

/** Records of a range of numbers, in the order of these: all of them that are exported. */
export interface SegmentRow extends Record<string, SqlStorageValue> {
  readonly first_seq: number
  readonly last_seq: number
  readonly key: string
  readonly first_ms: number
  readonly last_ms: number
  readonly lines: number
  readonly bytes: number
  readonly is_stored: number
}

/** A record as it comes. */
export interface IncomingRow {
  readonly facets: DecisionFacets & { readonly decision_id: string }
  readonly timeMs: number
  readonly line: string
  readonly bytes: number
  readonly isExported: boolean
  /** That it was closed because nobody had heard of it. */
  readonly isOrphan: boolean
}

/** Numbers that outlive the rows they count. */
const COUNTERS = {
  /** Number of the newest record. */
  taken: 0,
  /** Up to this number records are in segments, or are not to be exported. */
  planned: 0,
  /** Up to this number the bucket has them. */
  settled: 0,
  /** Up to this number lines are in the bucket alone. */
  trimmed: 0,
  /** Lines in the bucket, all in all. */
  exported: 0,
}

export type Counter = keyof typeof COUNTERS

const FACETS = [
  'request_id',
  'session_id',
  'model',
  'original_model',
  'worker',
  'tenant',
  'policy',
  'method',
  'status',
  'decision',
  'error',
] as const satisfies readonly (keyof DecisionFacets)[]

/** Everything but the line, which is as long as all else. */
const COLUMNS = `seq, decision_id, time, ${FACETS.join(', ')}, line IS NOT NULL AS has_line, bytes, is_exported`

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS decisions (seq INTEGER PRIMARY KEY, decision_id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
    ${FACETS.map((name) => `${name} ${name === 'status' ? 'INTEGER' : 'TEXT'}`).join(', ')},
    line TEXT, bytes INTEGER NOT NULL, is_exported INTEGER NOT NULL, is_orphan INTEGER NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS decisions_by_request ON decisions (request_id)',
  'CREATE INDEX IF NOT EXISTS decisions_by_time ON decisions (time, decision_id)',
  `CREATE TABLE IF NOT EXISTS segments (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, key TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
    is_stored INTEGER NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS open_requests (decision_id TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL, record TEXT NOT NULL)',
  `CREATE TABLE IF NOT EXISTS views (hash TEXT PRIMARY KEY, document TEXT NOT NULL, used_ms INTEGER NOT NULL,
    is_stored INTEGER NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)',
  'CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
]

const INSERT = `INSERT OR IGNORE INTO decisions
  (seq, decision_id, time, ${FACETS.join(', ')}, line, bytes, is_exported, is_orphan)
  VALUES (?, ?, ?, ${FACETS.map(() => '?').join(', ')}, ?, ?, ?, ?)`

export class DecisionTables {
  readonly sql: SqlStorage
  readonly #counters = { ...COUNTERS }

  constructor(sql: SqlStorage) {
    this.sql = sql
    for (const statement of SCHEMA) sql.exec(statement)
    for (const { name, value } of sql.exec<{ name: string; value: number }>('SELECT name, value FROM counters')) {
      if (name in COUNTERS) this.#counters[name as Counter] = value
    }
  }

  counter(name: Counter): number {
    return this.#counters[name]
  }

  setCounter(name: Counter, value: number): void {
    if (this.#counters[name] === value) return
    this.sql.exec('INSERT OR REPLACE INTO counters VALUES (?, ?)', name, value)
    this.#counters[name] = value
  }

  /** Returns those that are new. What is known of a request that was given up is replaced by the truth, if it can be. */
  insert(rows: readonly IncomingRow[]): readonly IncomingRow[] {
    let seq = this.counter('taken')
    const taken = rows.filter((row) => {
      const isNew = this.#insert(row, seq + 1) || (this.#forgetOrphan(row) && this.#insert(row, seq + 1))
      if (isNew) seq += 1
      return isNew
    })
    this.setCounter('taken', seq)
    return taken
  }

  #insert({ facets, timeMs, line, bytes, isExported, isOrphan }: IncomingRow, seq: number): boolean {
    const values = FACETS.map((name) => facets[name] ?? null)
    const { rowsWritten } = this.sql.exec(
      INSERT,
      seq,
      facets.decision_id,
      timeMs,
      ...values,
      line,
      bytes,
      isExported ? 1 : 0,
      isOrphan ? 1 : 0,
    )
    return rowsWritten > 0
  }

  /** What is settled to be exported stays as it is. */
  #forgetOrphan({ facets, isOrphan }: IncomingRow): boolean {
    if (isOrphan) return false
    const { rowsWritten } = this.sql.exec(
      'DELETE FROM decisions WHERE decision_id = ? AND is_orphan = 1 AND seq > ?',
      facets.decision_id,
      this.counter('planned'),
    )
    return rowsWritten > 0
  }

  /** Records behind a position, newest first. Read lazily: whoever has enough stops. */
  newestFirst(after: Position | null, { sinceMs, untilMs }: TimeRange): Iterable<DecisionRow> {
    const { timeMs, id } = after ?? { timeMs: Number.MAX_SAFE_INTEGER, id: '' }
    return this.sql.exec<DecisionRow>(
      `SELECT ${COLUMNS} FROM decisions WHERE (time, decision_id) < (?, ?) AND time >= ? AND time < ?
        ORDER BY time DESC, decision_id DESC`,
      timeMs,
      id,
      sinceMs,
      untilMs,
    )
  }

  find(id: string): DecisionRow | null {
    const [byDecision] = this.sql.exec<DecisionRow>(`SELECT ${COLUMNS} FROM decisions WHERE decision_id = ?`, id)
    if (byDecision !== undefined) return byDecision
    const [byRequest] = this.sql.exec<DecisionRow>(
      `SELECT ${COLUMNS} FROM decisions WHERE request_id = ? ORDER BY time DESC, decision_id DESC LIMIT 1`,
      id,
    )
    return byRequest ?? null
  }

  /** Records by their numbers, behind the first and up to the second, in order. */
  between(after: number, through: number, limit: number): readonly DecisionRow[] {
    return this.sql
      .exec<DecisionRow>(
        `SELECT ${COLUMNS} FROM decisions WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
        after,
        through,
        limit,
      )
      .toArray()
  }

  /** Null when it is in the export alone, or nowhere any more. */
  line(seq: number): string | null {
    return (
      this.sql.exec<{ line: string | null }>('SELECT line FROM decisions WHERE seq = ?', seq).toArray()[0]?.line ?? null
    )
  }

  /** What the bucket has yet to get. */
  waiting(): { readonly lines: number; readonly bytes: number; readonly sinceMs: number | null } {
    const { lines, bytes, sinceMs } = this.sql
      .exec<{ lines: number; bytes: number | null; sinceMs: number | null }>(
        'SELECT COUNT(*) AS lines, SUM(bytes) AS bytes, MIN(time) AS sinceMs FROM decisions WHERE seq > ?',
        this.counter('settled'),
      )
      .one()
    return { lines, bytes: bytes ?? 0, sinceMs }
  }

  /** The segment that a record belongs to; null when it is in none yet. */
  segmentOf(seq: number): SegmentRow | null {
    const [segment] = this.sql.exec<SegmentRow>(
      'SELECT * FROM segments WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1',
      seq,
    )
    return segment === undefined || segment.last_seq < seq ? null : segment
  }

  /** The oldest segment that the bucket has yet to get. */
  plannedSegment(): SegmentRow | null {
    const [segment] = this.sql.exec<SegmentRow>(
      'SELECT * FROM segments WHERE first_seq > ? AND is_stored = 0 ORDER BY first_seq LIMIT 1',
      this.counter('settled'),
    )
    return segment ?? null
  }

  storedSegments({ sinceMs, untilMs }: TimeRange): readonly SegmentRow[] {
    return this.sql
      .exec<SegmentRow>(
        'SELECT * FROM segments WHERE is_stored = 1 AND last_ms >= ? AND first_ms < ? ORDER BY first_seq',
        sinceMs,
        untilMs,
      )
      .toArray()
  }

  setting(name: string): string | null {
    return (
      this.sql.exec<{ value: string }>('SELECT value FROM settings WHERE name = ?', name).toArray()[0]?.value ?? null
    )
  }

  setSetting(name: string, value: string): void {
    this.sql.exec('INSERT OR REPLACE INTO settings VALUES (?, ?)', name, value)
  }
}
