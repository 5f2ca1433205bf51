// Where the records of one log file are: by time, and by hashes of their ids. Kept in memory for the file that is written
// to (live-index.ts), beside each other one (stored-index.ts).

import { hash64 } from '../routing/hash.ts'

/** One line of a file. */
export interface Row {
  readonly timeMs: number
  /** Bytes before it, and its own without the line feed. */
  readonly offset: number
  readonly bytes: number
}

/** A line with what it is found by. */
export interface IndexedLine extends Row {
  readonly decisionId: string
  readonly requestId: string
}

export interface SegmentIndex {
  readonly count: number
  /** Times of the oldest and of the newest record. */
  readonly firstMs: number
  readonly lastMs: number
  /** Rows `from` up to `to`, oldest first. */
  rows(from: number, to: number): Promise<readonly Row[]>
  /** Lines that may hold this id: two ids can have one hash, so whoever asks must look. */
  lookup(id: string): Promise<readonly Row[]>
}

/** The halves of a 64-bit hash. */
export interface IdHash {
  readonly high: number
  readonly low: number
}

export function hashId(id: string): IdHash {
  const digits = hash64(id)
  return { high: Number.parseInt(digits.slice(0, 8), 16), low: Number.parseInt(digits.slice(8), 16) }
}

/** How many rows are older than a time. */
export async function countBefore(index: SegmentIndex, timeMs: number): Promise<number> {
  if (index.count === 0 || timeMs <= index.firstMs) return 0
  if (timeMs > index.lastMs) return index.count
  let low = 0
  let high = index.count
  while (low < high) {
    const middle = (low + high) >>> 1
    const [row] = await index.rows(middle, middle + 1)
    if (row !== undefined && row.timeMs < timeMs) low = middle + 1
    else high = middle
  }
  return low
}
