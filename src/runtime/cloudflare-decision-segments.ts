// From the rows of a `DecisionLog` object to segments in the bucket. A segment is settled, with its key, before it is
// written: whoever comes after a crash writes the very same one, and finds that it is there.

import type { ShardSettings } from '../store/decision-shard.ts'
import type { DecisionRow, DecisionTables, SegmentRow } from './cloudflare-decision-tables.ts'

/** A segment is read whole for an export, in an isolate of 128 MB. */
export const SEGMENT_BYTES = 4 * 1024 * 1024
const SEGMENT_LINES = 5_000

/** Newest records whose lines stay beside the export, so that a list of them asks no bucket. */
export const KEPT_LINES = 1_000

/** Rows that are changed at a time. */
const TRIM_ROWS = 5_000

export class DecisionSegments {
  readonly #tables: DecisionTables
  readonly #bucket: R2Bucket | null
  /** Of the object, as it stands in the keys. */
  readonly #shard: string

  constructor(tables: DecisionTables, bucket: R2Bucket | null, shard: string) {
    this.#tables = tables
    this.#bucket = bucket
    this.#shard = shard
  }

  /** Writes the next segment; false when there is nothing to write. Rejects when the bucket does not take it. */
  async writeNext(settings: ShardSettings): Promise<boolean> {
    if (this.#bucket === null) return this.#settleAll()
    const planned = this.#tables.plannedSegment() ?? this.#plan(settings)
    if (planned === null) return false
    const text = this.#textOf(planned)
    if (!(await this.#put(this.#bucket, planned.key, text))) {
      // The key is taken by something else, left by an earlier life of this object, perhaps.
      const key = planned.key.replace(/(?:-again\d*)?\.jsonl$/, `-again${Date.now()}.jsonl`)
      this.#tables.sql.exec('UPDATE segments SET key = ? WHERE first_seq = ?', key, planned.first_seq)
      return true
    }
    this.#stored(planned)
    return true
  }

  /**
   * Forgets lines that the bucket has and newer ones have followed, and records that are kept for a while only. Returns
   * whether there are more.
   */
  trim(): boolean {
    const tables = this.#tables
    const from = tables.counter('trimmed')
    const through = Math.min(tables.counter('settled'), tables.counter('taken') - KEPT_LINES, from + TRIM_ROWS)
    if (through <= from) return false
    tables.sql.exec('UPDATE decisions SET line = NULL WHERE seq > ? AND seq <= ? AND is_exported = 1', from, through)
    tables.sql.exec('DELETE FROM decisions WHERE seq > ? AND seq <= ? AND is_exported = 0', from, through)
    tables.setCounter('trimmed', through)
    return through === from + TRIM_ROWS
  }

  /** The lines of some rows, as far as they are still there. Those of one segment are read together. */
  async linesOf(rows: readonly DecisionRow[]): Promise<readonly string[]> {
    const lines = new Map<number, string>()
    const elsewhere = new Map<string, { readonly segment: SegmentRow; readonly seqs: number[] }>()
    for (const { seq, has_line: isHere } of rows) {
      const line = isHere === 1 ? this.#tables.line(seq) : null
      const segment = line === null ? this.#tables.segmentOf(seq) : null
      if (line !== null) lines.set(seq, line)
      else if (segment !== null) {
        const others = elsewhere.get(segment.key)
        if (others === undefined) elsewhere.set(segment.key, { segment, seqs: [seq] })
        else others.seqs.push(seq)
      }
    }
    await Promise.all(
      Array.from(elsewhere.values(), async ({ segment, seqs }) => {
        for (const [seq, line] of await this.#readLines(segment, seqs)) lines.set(seq, line)
      }),
    )
    return rows.flatMap(({ seq }) => lines.get(seq) ?? [])
  }

  async #readLines(segment: SegmentRow, seqs: readonly number[]): Promise<readonly (readonly [number, string])[]> {
    const places = this.#placesIn(segment, new Set(seqs))
    const from = Math.min(...places.map(({ offset }) => offset))
    const to = Math.max(...places.map(({ offset, bytes }) => offset + bytes))
    const object = await this.#bucket?.get(segment.key, { range: { offset: from, length: to - from } })
    // Somebody has deleted it; its records are gone, the others are not.
    if (object === null || object === undefined) return []
    const content = await object.bytes()
    const decoder = new TextDecoder()
    return places.map(({ seq, offset, bytes }) => {
      const at = offset - from
      return [seq, decoder.decode(content.subarray(at, at + bytes - 1))] as const
    })
  }

  /** Where in a segment these records are: behind all that come before them. */
  #placesIn({ first_seq: first, last_seq: last }: SegmentRow, seqs: ReadonlySet<number>) {
    const places: { readonly seq: number; readonly offset: number; readonly bytes: number }[] = []
    let offset = 0
    for (const { seq, bytes } of this.#tables.sql.exec<{ seq: number; bytes: number }>(
      'SELECT seq, bytes FROM decisions WHERE seq >= ? AND seq <= ? AND is_exported = 1 ORDER BY seq',
      first,
      last,
    )) {
      if (seqs.has(seq)) places.push({ seq, offset, bytes })
      offset += bytes
    }
    return places
  }

  /** Without a bucket nothing waits to be exported. */
  #settleAll(): false {
    const taken = this.#tables.counter('taken')
    this.#tables.setCounter('planned', taken)
    this.#tables.setCounter('settled', taken)
    return false
  }

  /** Null when no record waits that is to be exported. */
  #plan({ prefix }: ShardSettings): SegmentRow | null {
    const tables = this.#tables
    for (
      let planned = tables.counter('planned');
      planned < tables.counter('taken');
      planned = tables.counter('planned')
    ) {
      const { chosen, through } = toSegment(tables.between(planned, tables.counter('taken'), SEGMENT_LINES))
      tables.setCounter('planned', through)
      if (chosen.length > 0) return this.#keepPlan(chosen, through, prefix)
      // None of these is to be exported.
      tables.setCounter('settled', through)
    }
    return null
  }

  #keepPlan(chosen: readonly DecisionRow[], through: number, prefix: string): SegmentRow {
    const times = chosen.map(({ time }) => time)
    const [firstMs, lastMs] = [Math.min(...times), Math.max(...times)]
    const first = chosen[0]?.seq ?? 0
    return this.#tables.sql
      .exec<SegmentRow>(
        'INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, 0) RETURNING *',
        first,
        through,
        `${prefix}decisions/${dayOf(firstMs)}/${timeOf(firstMs)}-${this.#shard}-${first}-${through}.jsonl`,
        firstMs,
        lastMs,
        chosen.length,
        chosen.reduce((sum, { bytes }) => sum + bytes, 0),
      )
      .one()
  }

  #textOf({ first_seq: first, last_seq: last }: SegmentRow): string {
    const rows = this.#tables.sql.exec<{ line: string }>(
      'SELECT line FROM decisions WHERE seq >= ? AND seq <= ? AND is_exported = 1 ORDER BY seq',
      first,
      last,
    )
    return Array.from(rows, ({ line }) => `${line}\n`).join('')
  }

  /** Returns false when the key holds something else. */
  async #put(bucket: R2Bucket, key: string, text: string): Promise<boolean> {
    const content = new TextEncoder().encode(text)
    const put = await bucket.put(key, content, {
      // Twice the same segment is one segment, and nothing that is there is ever overwritten.
      onlyIf: { etagDoesNotMatch: '*' },
      httpMetadata: { contentType: 'application/x-ndjson' },
    })
    if (put !== null) return true
    const there = await bucket.get(key)
    return there !== null && there.size === content.length && (await there.text()) === text
  }

  #stored({ first_seq: first, last_seq: last, lines }: SegmentRow): void {
    const tables = this.#tables
    tables.sql.exec('UPDATE segments SET is_stored = 1 WHERE first_seq = ?', first)
    tables.setCounter('settled', last)
    tables.setCounter('exported', tables.counter('exported') + lines)
  }
}

/** The next segment's rows, and the number up to which rows are in it or are not to be exported. */
function toSegment(rows: readonly DecisionRow[]) {
  const chosen: DecisionRow[] = []
  let bytes = 0
  let through = 0
  for (const row of rows) {
    if (chosen.length > 0 && bytes + row.bytes > SEGMENT_BYTES) break
    through = row.seq
    if (row.is_exported === 0) continue
    chosen.push(row)
    bytes += row.bytes
  }
  return { chosen, through }
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)

/** Such as `093002114Z`: keys of a day are in order of time. */
const timeOf = (atMs: number): string => new Date(atMs).toISOString().slice(11).replace(/[:.]/g, '')
