// Questions to one file of an exported log: a page of it, the records of an id, a range of time.

import { readRecord } from '../record/read-record.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import { isInTime, matches } from './decision-filters.ts'
import type { DecisionPage, DecisionQuery, TimeRange } from './decision-log.ts'
import { compareInList, isAfter, positionOf } from './decision-position.ts'
import { mayMatch } from './line-fields.ts'
import type { ReadFile } from './log-files.ts'
import { countBefore, type Row, type SegmentIndex } from './segment-index.ts'
import { readRows } from './segment-lines.ts'

/** A file that is open, and where its records are. */
export interface Segment {
  readonly file: Pick<ReadFile, 'read'>
  readonly index: SegmentIndex
}

/** Rows that are looked at together. */
const ROWS_AT_ONCE = 256

/** Records of one id that are looked at. */
const MAX_OF_ONE_ID = 20

/** The page of one file, having looked at about `maxRows` of its records. */
export async function pageOf(
  { file, index }: Segment,
  { filters, after, limit }: DecisionQuery,
  maxRows: number,
): Promise<DecisionPage> {
  const found: StoredRecord[] = []
  const beforeMs = Math.min(
    filters.untilMs ?? Number.POSITIVE_INFINITY,
    after === null ? Number.POSITIVE_INFINITY : after.timeMs + 1,
  )
  const oldest = await countBefore(index, filters.sinceMs ?? Number.NEGATIVE_INFINITY)
  let to = await countBefore(index, beforeMs)
  for (let left = maxRows; to > oldest;) {
    const rows = await chunkBefore(index, to, oldest)
    const texts = await readRows(file, rows)
    found.push(
      ...texts
        .filter((text) => mayMatch(filters, text))
        .flatMap(toRecords)
        .filter(isWanted),
    )
    to -= rows.length
    left -= rows.length
    const endMs = rows[0]?.timeMs ?? 0
    // Behind all records of this time: their rows are never parted.
    if (to > oldest && (found.length >= limit || left <= 0)) return { records: found, end: { timeMs: endMs, id: '' } }
  }
  return { records: found, end: null }

  function isWanted(record: StoredRecord): boolean {
    const position = positionOf(record)
    return isInTime(filters, position.timeMs) && isAfter(position, after) && matches(filters, record)
  }
}

/** The last rows before `to`, with every row of the oldest time among them. */
async function chunkBefore(index: SegmentIndex, to: number, oldest: number): Promise<readonly Row[]> {
  const rows = await index.rows(Math.max(oldest, to - ROWS_AT_ONCE), to)
  const [first] = rows
  if (first === undefined) return rows
  const more: Row[] = []
  for (let at = to - rows.length - 1; at >= oldest; at -= 1) {
    const [row] = await index.rows(at, at + 1)
    if (row === undefined || row.timeMs !== first.timeMs) break
    more.unshift(row)
  }
  return [...more, ...rows]
}

/** The record of this decision id, else the newest of this request id. */
export async function findIn({ file, index }: Segment, id: string): Promise<StoredRecord | null> {
  const rows = [...(await index.lookup(id))].sort((one, other) => other.timeMs - one.timeMs).slice(0, MAX_OF_ONE_ID)
  const records = (await readRows(file, rows)).flatMap(toRecords)
  const ofRequest = records
    .filter((record) => record.request_id === id)
    .sort((one, other) => compareInList(positionOf(one), positionOf(other)))
  return records.find((record) => record.decision_id === id) ?? ofRequest[0] ?? null
}

/** The lines of a time range, in order of time. */
export async function* exportOf({ file, index }: Segment, { sinceMs, untilMs }: TimeRange): AsyncIterable<string> {
  const to = await countBefore(index, untilMs)
  for (let at = await countBefore(index, sinceMs); at < to; at += ROWS_AT_ONCE) {
    const rows = await index.rows(at, Math.min(to, at + ROWS_AT_ONCE))
    const texts = await readRows(file, rows)
    if (texts.length > 0) yield `${texts.join('\n')}\n`
  }
}

function toRecords(text: string): StoredRecord[] {
  const read = readRecord(text)
  return read.kind === 'record' ? [read.record] : []
}
