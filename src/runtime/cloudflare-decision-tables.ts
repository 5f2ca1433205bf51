// The tables of a `DecisionLog` object. Rows written are what such an object costs, so records come and go many to a row:
// a row for each batch that an isolate sends, which goes when a segment in the bucket has it, and a row beside each segment
// that says what is in it.

import type { TimeRange } from '../store/decision-log.ts'
import { facetsStartOf, keepOnly, lineSizes, parseFacets, type RecordBatch } from '../store/record-batch.ts'

/** Records that came together, without their lines. Records are numbered as they come. */
export interface BatchRow extends Record<string, SqlStorageValue> {
  readonly first_seq: number
  readonly last_seq: number
  readonly first_ms: number
  readonly last_ms: number
  readonly lines: number
  /** Of the lines. */
  readonly bytes: number
  readonly facets: string
  /** For each record how far its number is from the first, and how long its line is: 32 bits each. */
  readonly places: ArrayBuffer
}

const BATCH_COLUMNS = 'first_seq, last_seq, first_ms, last_ms, lines, bytes, facets, places'

/** Batches in the bucket, without what is not to be exported. */
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

/** What is in a segment: facets and places as of a batch. */
export interface SegmentIndex extends Record<string, SqlStorageValue> {
  /** Hashes of the decision id and the request id of each record, 32 bits each. */
  readonly ids: ArrayBuffer
  readonly places: ArrayBuffer
  readonly facets: string
}

/** Numbers that outlive the rows they count. */
interface Progress {
  /** Number of the newest record. */
  readonly taken: number
  /** Up to this number the bucket has them, or they are not to be exported. */
  readonly settled: number
  /** Lines in the bucket, all in all. */
  readonly exported: number
}

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS batches (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL, facets TEXT NOT NULL, places BLOB NOT NULL,
    content BLOB NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS segments (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, key TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
    is_stored INTEGER NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS segments_by_time ON segments (last_ms, first_ms)',
  // Apart, so that segments can be walked through without it.
  `CREATE TABLE IF NOT EXISTS segment_index (first_seq INTEGER PRIMARY KEY, ids BLOB NOT NULL, places BLOB NOT NULL,
    facets TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS views (hash TEXT PRIMARY KEY, document TEXT NOT NULL, used_ms INTEGER NOT NULL,
    is_stored INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS progress (id INTEGER PRIMARY KEY, taken INTEGER NOT NULL, settled INTEGER NOT NULL,
    exported INTEGER NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
]

export class DecisionTables {
  readonly sql: SqlStorage
  #progress: Progress

  constructor(sql: SqlStorage) {
    this.sql = sql
    dropRowsPerRecord(sql)
    for (const statement of SCHEMA) sql.exec(statement)
    this.#progress = readProgress(sql)
  }

  get progress(): Progress {
    return this.#progress
  }

  advance(changes: Partial<Progress>): void {
    const progress = { ...this.#progress, ...changes }
    const { taken, settled, exported } = progress
    if (settled === this.#progress.settled && exported === this.#progress.exported) return
    this.sql.exec(
      `INSERT INTO progress VALUES (0, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET taken = excluded.taken, settled = excluded.settled, exported = excluded.exported`,
      taken,
      settled,
      exported,
    )
    this.#progress = progress
  }

  /** One row written. Their numbers follow from the rows until these go. */
  insert({ ids, firstMs, lastMs, facets, content }: RecordBatch): void {
    const first = this.#progress.taken + 1
    const last = this.#progress.taken + ids.length
    this.sql.exec(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      first,
      last,
      firstMs,
      lastMs,
      ids.length,
      content.length,
      facets,
      toPlaces(content),
      content,
    )
    this.#progress = { ...this.#progress, taken: last }
  }

  /** Whether a record of this id and time is in a batch or a segment. */
  isKept(id: string, timeMs: number): boolean {
    const start = facetsStartOf(id, timeMs)
    const tables = ['batches', 'segments JOIN segment_index USING (first_seq)']
    return tables.some((table) => {
      const known = `SELECT 1 FROM ${table} WHERE first_ms <= ? AND last_ms >= ? AND instr(facets, ?) > 0 LIMIT 1`
      return this.sql.exec(known, timeMs, timeMs, start).toArray().length > 0
    })
  }

  /** Takes a record out of its batch, if that is not settled to be exported; returns whether it did. */
  takeOut(id: string): boolean {
    const [batch] = this.sql.exec<BatchRow>(
      `SELECT ${BATCH_COLUMNS} FROM batches WHERE first_seq > ? AND instr(facets, ?) > 0 LIMIT 1`,
      this.planned(),
      facetsStartOf(id),
    )
    if (batch === undefined) return false
    const { facets, first_seq: first, places } = batch
    const rows = parseFacets(facets)
    const numbers = new Uint32Array(places).filter((_, at) => at % 2 === 0)
    const left = keepOnly({ facets, content: this.content(first) }, ([other]) => other !== id)
    if (left === null) this.sql.exec('DELETE FROM batches WHERE first_seq = ?', first)
    else {
      this.sql.exec(
        `UPDATE batches SET first_ms = ?, last_ms = ?, lines = ?, bytes = ?, facets = ?, places = ?, content = ?
          WHERE first_seq = ?`,
        left.firstMs,
        left.lastMs,
        left.ids.length,
        left.content.length,
        left.facets,
        // Whoever reads on behind a number misses none.
        toPlaces(
          left.content,
          numbers.filter((_, at) => rows[at]?.[0] !== id),
        ),
        left.content,
        first,
      )
    }
    return true
  }

  /** Up to this number records are in segments, stored or not, or are not to be exported. */
  planned(): number {
    const [newest] = this.sql.exec<{ last_seq: number }>(
      'SELECT last_seq FROM segments ORDER BY first_seq DESC LIMIT 1',
    )
    return Math.max(this.#progress.settled, newest?.last_seq ?? 0)
  }

  /** What the bucket has yet to get. */
  waiting(): { readonly lines: number; readonly bytes: number; readonly sinceMs: number | null } {
    const { lines, bytes, sinceMs } = this.sql
      .exec<{ lines: number | null; bytes: number | null; sinceMs: number | null }>(
        'SELECT SUM(lines) AS lines, SUM(bytes) AS bytes, MIN(first_ms) AS sinceMs FROM batches WHERE first_seq > ?',
        this.#progress.settled,
      )
      .one()
    return { lines: lines ?? 0, bytes: bytes ?? 0, sinceMs }
  }

  /** In order, from the first number through the second. Read lazily: whoever has enough stops. */
  batches(first: number, last: number): Iterable<BatchRow> {
    return this.sql.exec<BatchRow>(
      `SELECT ${BATCH_COLUMNS} FROM batches WHERE first_seq >= ? AND last_seq <= ? ORDER BY first_seq`,
      first,
      last,
    )
  }

  /** The lines of a batch, each with its line feed. */
  content(first: number): Uint8Array {
    const { content } = this.sql
      .exec<{ content: ArrayBuffer }>('SELECT content FROM batches WHERE first_seq = ?', first)
      .one()
    return new Uint8Array(content)
  }

  /** Number of the first record that is in a batch; those before it are in segments alone. */
  firstInBatch(): number {
    const [oldest] = this.sql.exec<{ first_seq: number }>('SELECT first_seq FROM batches ORDER BY first_seq LIMIT 1')
    return oldest?.first_seq ?? Number.MAX_SAFE_INTEGER
  }

  /** The oldest segment that the bucket has yet to get. */
  plannedSegment(): SegmentRow | null {
    const [segment] = this.sql.exec<SegmentRow>(
      'SELECT * FROM segments WHERE first_seq > ? AND is_stored = 0 ORDER BY first_seq LIMIT 1',
      this.#progress.settled,
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

function readProgress(sql: SqlStorage): Progress {
  const [kept] = sql.exec<{ taken: number; settled: number; exported: number }>(
    'SELECT taken, settled, exported FROM progress',
  )
  const { newest } = sql
    .exec<{ newest: number | null }>(
      `SELECT MAX(last_seq) AS newest FROM (SELECT MAX(last_seq) AS last_seq FROM batches
        UNION ALL SELECT MAX(last_seq) FROM segments)`,
    )
    .one()
  const { taken, settled, exported } = kept ?? { taken: 0, settled: 0, exported: 0 }
  return { taken: Math.max(taken, newest ?? 0), settled, exported }
}

/** `numbers`, from that of the first record, where these are not one after the other. */
function toPlaces(content: Uint8Array, numbers: Uint32Array | null = null): Uint32Array {
  return Uint32Array.from(lineSizes(content).flatMap((bytes, at) => [numbers?.[at] ?? at, bytes]))
}

/** Versions before 0.1.0 had a row for each record; the segments that they wrote stay. */
function dropRowsPerRecord(sql: SqlStorage): void {
  if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'decisions'").toArray().length === 0) return
  sql.exec('DELETE FROM segments WHERE is_stored = 0')
  for (const table of ['decisions', 'counters', 'open_requests']) sql.exec(`DROP TABLE IF EXISTS ${table}`)
}
