// Records as an isolate hands them over together, and as an object keeps them: their lines as they go to the export, and
// beside these what lists and look-ups go by, so that nobody reads a line to know what it is about.

import type { DecisionRecord } from '../record/schema.ts'
import type { DecisionFacets } from './decision-filters.ts'

export interface RecordBatch {
  readonly ids: readonly string[]
  readonly firstMs: number
  readonly lastMs: number
  /** A JSON array for each record, with commas in between. */
  readonly facets: string
  /** A line for each record, in the same order, each with its line feed. */
  readonly content: Uint8Array
}

/** One record on its way into a batch. */
export interface BatchLine {
  readonly id: string
  readonly timeMs: number
  readonly facets: string
  readonly line: string
}

/** What is known of a record without its line: `FACETS` follow id and time. */
export type FacetRow = readonly [id: string, timeMs: number, requestId: string, ...(string | number | null)[]]

/** A batch is one row of SQLite, which holds 2 MB with its numbers. */
export const MAX_ROW_BYTES = 1_900_000

/** A character takes three bytes at most. */
const MAX_BATCH_LENGTH = MAX_ROW_BYTES / 3

/** Objects keep facets for as long as records: what is new here goes to the end. */
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

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const LINE_FEED = 0x0a

export function toBatchLine(record: DecisionRecord): BatchLine {
  const { decision_id: id } = record
  const timeMs = Date.parse(record.timestamp)
  const facets = JSON.stringify([id, timeMs, ...FACETS.map((name) => record[name])])
  return { id, timeMs, facets, line: JSON.stringify(record) }
}

/** Whether no object can keep it: an object that is given it refuses whatever comes with it. */
export function isTooLong({ facets, line }: Pick<BatchLine, 'facets' | 'line'>): boolean {
  // Nearly all are far from it, and need not be measured.
  if (facets.length + line.length <= MAX_BATCH_LENGTH) return false
  return ENCODER.encode(facets).length + ENCODER.encode(line).length > MAX_ROW_BYTES
}

/** As few batches as rows of SQLite can hold, of lines that each can. */
export function toBatches(lines: readonly BatchLine[]): readonly RecordBatch[] {
  const batches: RecordBatch[] = []
  let [from, length] = [0, 0]
  for (const [at, { facets, line }] of lines.entries()) {
    const ownLength = facets.length + line.length
    if (at > from && length + ownLength > MAX_BATCH_LENGTH) {
      batches.push(toBatch(lines.slice(from, at)))
      from = at
      length = 0
    }
    length += ownLength
  }
  if (from < lines.length) batches.push(toBatch(lines.slice(from)))
  return batches
}

function toBatch(lines: readonly BatchLine[]): RecordBatch {
  const times = lines.map(({ timeMs }) => timeMs)
  return {
    ids: lines.map(({ id }) => id),
    firstMs: Math.min(...times),
    lastMs: Math.max(...times),
    facets: lines.map(({ facets }) => facets).join(','),
    content: ENCODER.encode(`${lines.map(({ line }) => line).join('\n')}\n`),
  }
}

export function parseFacets(facets: string): readonly FacetRow[] {
  // Written by `toBatchLine`, of another version perhaps: what it did not know is absent.
  return JSON.parse(`[${facets}]`) as FacetRow[]
}

export function toFacets([id, , ...values]: FacetRow): DecisionFacets {
  return { decision_id: id, ...Object.fromEntries(FACETS.map((name, at) => [name, values[at]])) }
}

/** Text that stands in facets where they are about this decision, and nowhere else. */
export const facetsStartOf = (id: string, timeMs: number | null = null): string =>
  timeMs === null ? `[${JSON.stringify(id)},` : `[${JSON.stringify(id)},${timeMs},`

/** Null when none is wanted. */
export function keepOnly(
  { facets, content }: Pick<RecordBatch, 'facets' | 'content'>,
  isWanted: (row: FacetRow) => boolean,
): RecordBatch | null {
  const lines = DECODER.decode(content).split('\n')
  const kept = parseFacets(facets).flatMap((row, at): BatchLine[] => {
    const [id, timeMs] = row
    return isWanted(row) ? [{ id, timeMs, facets: JSON.stringify(row), line: lines[at] ?? '' }] : []
  })
  return kept.length === 0 ? null : toBatch(kept)
}

/** How long each line is, in bytes with its line feed. */
export function lineSizes(content: Uint8Array): readonly number[] {
  const sizes: number[] = []
  for (let from = 0; from < content.length;) {
    const end = content.indexOf(LINE_FEED, from) + 1
    sizes.push(end - from)
    from = end
  }
  return sizes
}
