// Places in the list of all records. One stays the same however many records come on top, so a reader who goes on from
// it misses nothing and sees nothing twice.

import type { Position, ReadableRecord } from './decision-log.ts'

export function positionOf(record: ReadableRecord): Position {
  // Older routers wrote no ids; their times keep them apart well enough.
  return { timeMs: Date.parse(record.timestamp), id: record.decision_id ?? '' }
}

/** Negative when `one` is listed before `other`: it is newer. */
export function compareInList(one: Position, other: Position): number {
  if (one.timeMs !== other.timeMs) return other.timeMs - one.timeMs
  if (one.id === other.id) return 0
  return one.id > other.id ? -1 : 1
}

/** Whether a page that goes on after `end` may list this position. */
export function isAfter(position: Position, end: Position | null): boolean {
  return end === null || compareInList(end, position) < 0
}

/** A position as text that callers hand back and need not understand. */
export function toCursor({ timeMs, id }: Position): string {
  return `${timeMs.toString(36)}.${encodeURIComponent(id)}`
}

/** Null for text that no cursor is. */
export function parseCursor(cursor: string): Position | null {
  const [, time = '', encodedId = ''] = /^([0-9a-z]{1,11})\.([\w.~!*'()%-]{0,512})$/.exec(cursor) ?? []
  const timeMs = Number.parseInt(time, 36)
  if (!Number.isSafeInteger(timeMs) || timeMs > LATEST_MS) return null
  try {
    return { timeMs, id: decodeURIComponent(encodedId) }
  } catch {
    // A `%` that begins no character.
    return null
  }
}

/** The last time that a date can hold. */
const LATEST_MS = 8_640_000_000_000_000
