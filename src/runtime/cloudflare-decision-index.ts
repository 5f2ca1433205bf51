// Finds records of a `DecisionLog` object by time, id and number, in batches and in what is known of segments. Their lines
// are read by cloudflare-decision-segments.ts.

import { hash32 } from '../routing/hash.ts'
import type { DecisionFacets } from '../store/decision-filters.ts'
import type { Position, TimeRange } from '../store/decision-log.ts'
import { compareInList, isAfter } from '../store/decision-position.ts'
import { facetsStartOf, parseFacets, toFacets } from '../store/record-batch.ts'
import type { DecisionTables, SegmentIndex } from './cloudflare-decision-tables.ts'

/** A record, and where its line is. */
export interface FoundRecord extends Position, Place {
  readonly facets: DecisionFacets
  readonly block: Block
}

export interface Place {
  readonly seq: number
  /** Where in its batch or segment the line begins. */
  readonly offset: number
  /** With the line feed. */
  readonly bytes: number
}

/** A batch or a segment, by the number of its first record. */
export interface Block {
  readonly kind: 'batch' | 'segment'
  readonly first_seq: number
}

/** A type, not an interface: those of SQL have an index signature. */
type BlockRow = {
  readonly first_seq: number
  readonly last_ms: number
  readonly is_batch: number
}

type NamedBlockRow = BlockRow & { readonly is_decision: number }

export class DecisionIndex {
  readonly #tables: DecisionTables

  constructor(tables: DecisionTables) {
    this.#tables = tables
  }

  /** Records behind a position, newest first. Read lazily: whoever has enough stops. */
  *newestFirst(after: Position | null, { sinceMs, untilMs }: TimeRange): Iterable<FoundRecord> {
    const isWanted = ({ id, timeMs }: FoundRecord) =>
      timeMs >= sinceMs && timeMs < untilMs && isAfter({ timeMs, id }, after)
    let waiting: readonly FoundRecord[] = []
    for (const { last_ms: lastMs, ...row } of this.#blocks(sinceMs, Math.min(after?.timeMs ?? untilMs, untilMs))) {
      // No block from here on has anything newer.
      const ready = waiting.filter(({ timeMs }) => timeMs > lastMs)
      yield* ready
      const more = [...waiting.slice(ready.length), ...this.#records(toBlock(row)).filter(isWanted)]
      waiting = more.sort(compareInList)
    }
    yield* waiting
  }

  /** The record of this decision id, or the newest of this request id. */
  find(id: string): FoundRecord | null {
    let newest: FoundRecord | null = null
    for (const { last_ms: lastMs, is_decision: isDecision, ...row } of this.#blocksThatName(id)) {
      if (isDecision === 0 && newest !== null && lastMs < newest.timeMs) continue
      for (const record of this.#records(toBlock(row))) {
        if (record.id === id) return record
        if (record.facets.request_id !== id) continue
        if (newest === null || compareInList(record, newest) < 0) newest = record
      }
    }
    return newest
  }

  /** Records by their numbers, behind the first and up to the second, in order; a block more than `enough`, at most. */
  between(after: number, through: number, enough: number): readonly FoundRecord[] {
    const rows = this.#tables.sql.exec<BlockRow>(
      `SELECT first_seq, last_ms, 0 AS is_batch FROM segments WHERE last_seq > ? AND first_seq <= ? AND first_seq < ?
        UNION ALL SELECT first_seq, last_ms, 1 FROM batches WHERE last_seq > ? AND first_seq <= ? ORDER BY first_seq`,
      after,
      through,
      this.#tables.firstInBatch(),
      after,
      through,
    )
    const found: FoundRecord[] = []
    for (const row of rows) {
      found.push(...this.#records(toBlock(row)).filter(({ seq }) => seq > after && seq <= through))
      if (found.length >= enough) break
    }
    return found
  }

  /** Those that may hold a record of this time range, by their newest. */
  #blocks(sinceMs: number, throughMs: number): Iterable<BlockRow> {
    return this.#tables.sql.exec<BlockRow>(
      `SELECT first_seq, last_ms, 1 AS is_batch FROM batches WHERE last_ms >= ? AND first_ms <= ?
        UNION ALL SELECT first_seq, last_ms, 0 FROM segments WHERE last_ms >= ? AND first_ms <= ? AND first_seq < ?
        ORDER BY last_ms DESC`,
      sinceMs,
      throughMs,
      sinceMs,
      throughMs,
      this.#tables.firstInBatch(),
    )
  }

  #blocksThatName(id: string): readonly NamedBlockRow[] {
    const start = facetsStartOf(id)
    return this.#tables.sql
      .exec<NamedBlockRow>(
        `SELECT first_seq, last_ms, 1 AS is_batch, instr(facets, ?) > 0 AS is_decision FROM batches
            WHERE instr(facets, ?) > 0
          UNION ALL SELECT first_seq, last_ms, 0, instr(facets, ?) > 0 FROM segment_index JOIN segments USING (first_seq)
            WHERE instr(ids, ?) > 0 AND first_seq < ?
          ORDER BY is_decision DESC, last_ms DESC`,
        start,
        JSON.stringify(id),
        start,
        toHashes([id]),
        this.#tables.firstInBatch(),
      )
      .toArray()
  }

  /** None of a segment that is kept for exports only. Those that are in a batch yet are not in its segment. */
  #records(block: Block): readonly FoundRecord[] {
    const { sql } = this.#tables
    const isBatch = block.kind === 'batch'
    const [row] = sql.exec<Pick<SegmentIndex, 'facets' | 'places'>>(
      `SELECT facets, places FROM ${isBatch ? 'batches' : 'segment_index'} WHERE first_seq = ?`,
      block.first_seq,
    )
    if (row === undefined) return []
    const before = isBatch ? Number.POSITIVE_INFINITY : this.#tables.firstInBatch()
    const rows = parseFacets(row.facets)
    return placesOf(block.first_seq, row.places).flatMap((place, at): FoundRecord[] => {
      const facetRow = rows[at]
      if (facetRow === undefined || place.seq >= before) return []
      return [{ ...place, id: facetRow[0], timeMs: facetRow[1], facets: toFacets(facetRow), block }]
    })
  }
}

const toBlock = ({ first_seq: first, is_batch: isBatch }: Pick<BlockRow, 'first_seq' | 'is_batch'>): Block => ({
  kind: isBatch === 1 ? 'batch' : 'segment',
  first_seq: first,
})

/** Where the records of a batch or a segment are, in order. */
export function placesOf(first: number, places: ArrayBuffer): readonly Place[] {
  const numbers = new Uint32Array(places)
  const found: Place[] = []
  for (let at = 0, offset = 0; at < numbers.length; at += 2) {
    const bytes = numbers[at + 1] ?? 0
    found.push({ seq: first + (numbers[at] ?? 0), offset, bytes })
    offset += bytes
  }
  return found
}

/** As they stand in `ids` of a segment. SQLite looks for one at any byte: what it finds may be something else. */
export function toHashes(ids: readonly string[]): Uint32Array {
  return Uint32Array.from(ids, hash32)
}
