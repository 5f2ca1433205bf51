// One page of several: shards, files and memory each list what they have, newest first.

import type { DecisionPage, Position, ReadableRecord } from './decision-log.ts'
import { compareInList, positionOf } from './decision-position.ts'

interface Placed {
  readonly record: ReadableRecord
  readonly position: Position
}

/**
 * The first `limit` records of all pages, each id once. Every page must be the answer to the same query. What one of them
 * did not get to is left for the next page.
 */
export function mergePages(pages: readonly DecisionPage[], limit: number): DecisionPage {
  const horizon = nearest(pages.map(({ end }) => end))
  const placed = pages
    .flatMap(({ records }) => records.map((record): Placed => ({ record, position: positionOf(record) })))
    .filter(({ position }) => horizon === null || compareInList(position, horizon) <= 0)
    .sort((one, other) => compareInList(one.position, other.position))
  return firstOf(onceEach(placed), limit, horizon)
}

/** The records of one source, in any order, as a page of it. */
export function toPage(records: readonly ReadableRecord[], limit: number): DecisionPage {
  return mergePages([{ records, end: null }], limit)
}

function firstOf(placed: readonly Placed[], limit: number, horizon: Position | null): DecisionPage {
  const listed = placed.slice(0, limit)
  const isCut = listed.length < placed.length
  return { records: listed.map(({ record }) => record), end: isCut ? (listed.at(-1)?.position ?? horizon) : horizon }
}

/** A request that has just ended can be in one place as open and in another as closed; the later word counts. */
function onceEach(placed: readonly Placed[]): readonly Placed[] {
  const seen = new Set<string>()
  return placed.filter(({ position: { id } }) => {
    if (id === '') return true
    const isNew = !seen.has(id)
    seen.add(id)
    return isNew
  })
}

/** The first of these places in the list; null when there is none. */
function nearest(ends: readonly (Position | null)[]): Position | null {
  return ends.reduce(
    (near, end) => (near === null || (end !== null && compareInList(end, near) < 0) ? end : near),
    null,
  )
}
