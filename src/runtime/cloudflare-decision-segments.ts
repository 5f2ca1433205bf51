// From the batches of a `DecisionLog` object to segments in the bucket, and back to lines. A segment is settled, with its
// key, before it is written: whoever comes after a crash writes the very same one, and finds that it is there.

import type { ShardSettings } from '../store/decision-shard.ts'
import { isSampled } from '../store/export-sample.ts'
import { type FacetRow, parseFacets } from '../store/record-batch.ts'
import { type Block, type FoundRecord, placesOf, toHashes } from './cloudflare-decision-index.ts'
import type { DecisionTables, SegmentIndex, SegmentRow } from './cloudflare-decision-tables.ts'

/** A segment is read whole for an export, in an isolate of 128 MB. */
export const SEGMENT_BYTES = 4 * 1024 * 1024
const SEGMENT_LINES = 5_000
/** What a segment's records are found by is one row of SQLite, which holds 2 MB; a character takes three bytes at most. */
const INDEX_LENGTH = 512 * 1024

/** Newest records whose lines stay beside the export, so that a list of them asks no bucket; all there is without one. */
const KEPT_LINES = 1_000
const KEPT_ALONE = 8_000

const DECODER = new TextDecoder()

/** A segment before it is settled: its records, and the numbers of all that it settles. */
interface Draft {
  readonly records: { readonly row: FacetRow; readonly seq: number; readonly bytes: number }[]
  first: number
  readonly through: number
}

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
    if (this.#bucket === null) {
      // Nothing waits to be exported.
      this.#tables.advance({ settled: this.#tables.progress.taken })
      return false
    }
    const planned = this.#tables.plannedSegment() ?? this.#plan(settings)
    if (planned === null) return false
    if (!(await this.#put(this.#bucket, planned.key, this.#contentOf(planned)))) {
      // The key is taken by something else, left by an earlier life of this object, perhaps.
      const key = planned.key.replace(/(?:-again\d*)?\.jsonl$/, `-again${Date.now()}.jsonl`)
      this.#tables.sql.exec('UPDATE segments SET key = ? WHERE first_seq = ?', key, planned.first_seq)
      return true
    }
    this.#stored(planned)
    return true
  }

  /** Forgets batches that the bucket has and newer ones have followed. */
  trim(): void {
    const { taken, settled } = this.#tables.progress
    const kept = this.#bucket === null ? KEPT_ALONE : KEPT_LINES
    const through = Math.min(settled, taken - kept)
    this.#tables.sql.exec('DELETE FROM batches WHERE first_seq <= ? AND last_seq <= ?', through, through)
  }

  /** The lines of some records, as far as they are still there. Those of one segment are read together. */
  async linesOf(records: readonly FoundRecord[]): Promise<readonly string[]> {
    const lines = new Map<number, string>()
    const byBlock = new Map<string, FoundRecord[]>()
    for (const record of records) {
      const { kind, first_seq: first } = record.block
      const others = byBlock.get(`${kind}${first}`)
      if (others === undefined) byBlock.set(`${kind}${first}`, [record])
      else others.push(record)
    }
    await Promise.all(
      Array.from(byBlock.values(), async (own) => {
        const from = Math.min(...own.map(({ offset }) => offset))
        const to = Math.max(...own.map(({ offset, bytes }) => offset + bytes))
        const content = await this.#read(own[0]?.block ?? null, from, to)
        // Somebody has deleted it; its records are gone, the others are not.
        if (content === null) return
        for (const { seq, offset, bytes } of own) {
          lines.set(seq, DECODER.decode(content.subarray(offset - from, offset - from + bytes - 1)))
        }
      }),
    )
    return records.flatMap(({ seq }) => lines.get(seq) ?? [])
  }

  /** A batch is read at once: it may be gone after the next `await`. */
  #read(block: Block | null, from: number, to: number): Uint8Array | null | Promise<Uint8Array | null> {
    if (block === null) return null
    if (block.kind === 'batch') return this.#tables.content(block.first_seq).subarray(from, to)
    return this.#readSegment(block.first_seq, from, to)
  }

  async #readSegment(first: number, from: number, to: number): Promise<Uint8Array | null> {
    const [segment] = this.#tables.sql.exec<{ key: string }>('SELECT key FROM segments WHERE first_seq = ?', first)
    if (segment === undefined) return null
    const object = await this.#bucket?.get(segment.key, { range: { offset: from, length: to - from } })
    return object === null || object === undefined ? null : object.bytes()
  }

  /** Null when no record waits that is to be exported. */
  #plan(settings: ShardSettings): SegmentRow | null {
    const { progress } = this.#tables
    for (let planned = this.#tables.planned(); planned < progress.taken; planned = this.#tables.planned()) {
      const draft = this.#draft(planned + 1, settings.exportSample)
      if (draft.records.length > 0) return this.#keepPlan(draft, settings.prefix)
      // None of these is to be exported.
      this.#tables.advance({ settled: draft.through })
    }
    return null
  }

  /** The next segment: as many batches as it may have, without what is not to be exported. */
  #draft(from: number, share: number): Draft {
    const draft: Draft = { records: [], first: from, through: this.#tables.progress.taken }
    let [bytes, length] = [0, 0]
    for (const batch of this.#tables.batches(from, draft.through)) {
      const { first_seq: first, facets, places } = batch
      bytes += batch.bytes
      length += facets.length
      const isTooMuch = bytes > SEGMENT_BYTES || length > INDEX_LENGTH
      if (draft.records.length > 0 && (isTooMuch || draft.records.length + batch.lines > SEGMENT_LINES)) {
        return { ...draft, through: first - 1 }
      }
      if (draft.records.length === 0) draft.first = first
      const rows = parseFacets(facets)
      for (const [at, { seq, bytes: size }] of placesOf(first, places).entries()) {
        const row = rows[at]
        if (row !== undefined && isSampled(row[0], share)) draft.records.push({ row, seq, bytes: size })
      }
    }
    return draft
  }

  #keepPlan({ records, first, through }: Draft, prefix: string): SegmentRow {
    const [firstMs, lastMs] = rangeOf(records.map(({ row: [, timeMs] }) => timeMs))
    this.#tables.sql.exec(
      'INSERT INTO segment_index VALUES (?, ?, ?, ?)',
      first,
      toHashes(records.flatMap(({ row: [id, , requestId] }) => [id, requestId])),
      Uint32Array.from(records.flatMap(({ seq, bytes }) => [seq - first, bytes])),
      records.map(({ row }) => JSON.stringify(row)).join(','),
    )
    return this.#tables.sql
      .exec<SegmentRow>(
        'INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, 0) RETURNING *',
        first,
        through,
        `${prefix}decisions/${dayOf(firstMs)}/${timeOf(firstMs)}-${this.#shard}-${first}-${through}.jsonl`,
        firstMs,
        lastMs,
        records.length,
        records.reduce((sum, { bytes }) => sum + bytes, 0),
      )
      .one()
  }

  #contentOf({ first_seq: first, last_seq: last, bytes }: SegmentRow): Uint8Array {
    const content = new Uint8Array(bytes)
    const [index] = this.#tables.sql.exec<Pick<SegmentIndex, 'places'>>(
      'SELECT places FROM segment_index WHERE first_seq = ?',
      first,
    )
    if (index === undefined) throw new Error(`the segment from record ${first} on has no index`)
    const wanted = new Set(placesOf(first, index.places).map(({ seq }) => seq))
    let at = 0
    for (const batch of this.#tables.batches(first, last)) {
      const lines = this.#tables.content(batch.first_seq)
      for (const { seq, offset, bytes: size } of placesOf(batch.first_seq, batch.places)) {
        if (!wanted.has(seq)) continue
        content.set(lines.subarray(offset, offset + size), at)
        at += size
      }
    }
    return content
  }

  /** Returns false when the key holds something else. */
  async #put(bucket: R2Bucket, key: string, content: Uint8Array): Promise<boolean> {
    const put = await bucket.put(key, content, {
      // Twice the same segment is one segment, and nothing that is there is ever overwritten.
      onlyIf: { etagDoesNotMatch: '*' },
      httpMetadata: { contentType: 'application/x-ndjson' },
    })
    if (put !== null) return true
    const there = await bucket.get(key)
    return there !== null && there.size === content.length && isSame(await there.bytes(), content)
  }

  #stored({ first_seq: first, last_seq: last, lines }: SegmentRow): void {
    const tables = this.#tables
    tables.sql.exec('UPDATE segments SET is_stored = 1 WHERE first_seq = ?', first)
    tables.advance({ settled: last, exported: tables.progress.exported + lines })
  }
}

function rangeOf(times: readonly number[]): readonly [number, number] {
  return [Math.min(...times), Math.max(...times)]
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)

/** Such as `093002114Z`: keys of a day are in order of time. */
const timeOf = (atMs: number): string => new Date(atMs).toISOString().slice(11).replace(/[:.]/g, '')
