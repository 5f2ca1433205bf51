// A page of records, chosen the same way in every store: what matches, what comes after the cursor, and as much of that as
// one answer should hold.

import type { ReplayRecord } from '../capture/replay-record.ts'
import { isInTime, matches } from './decision-filters.ts'
import type { Position } from './decision-log.ts'
import { compareInList, isAfter } from './decision-position.ts'
import type { ReplayFilters, ReplayPage, ReplayQuery } from './replay-store.ts'

/** A page of records with long bodies ends before it has as many as were asked for. Below what an object may answer. */
export const MAX_PAGE_LENGTH = 8 * 1024 * 1024

export function replayPosition({ timestamp, id }: Pick<ReplayRecord, 'timestamp' | 'id'>): Position {
  return { timeMs: Date.parse(timestamp), id }
}

/** Negative when `one` is listed before `other`. */
export function compareReplays(one: ReplayRecord, other: ReplayRecord): number {
  return compareInList(replayPosition(one), replayPosition(other))
}

export function matchesReplay(filters: ReplayFilters, record: ReplayRecord): boolean {
  const { cacheStatus } = filters
  if (cacheStatus === 'cached' && !record.from_cache) return false
  if (cacheStatus === 'streamed' && !record.streaming) return false
  const { id, selected_model: model, response_status: status } = record
  return (
    isInTime(filters, Date.parse(record.timestamp)) && matches(filters, { ...record, decision_id: id, model, status })
  )
}

/** Takes records one by one, newest first, and makes a page of them. */
export class ReplayPageBuilder {
  readonly #query: ReplayQuery
  readonly #records: ReplayRecord[] = []
  #length = 0
  #total = 0
  #skipped = 0
  #isFull = false

  constructor(query: ReplayQuery) {
    this.#query = query
  }

  /** `length` is about that of its JSON. */
  offer(record: ReplayRecord, length: number): void {
    const { filters, after, offset, limit } = this.#query
    if (!matchesReplay(filters, record)) return
    this.#total += 1
    if (!isAfter(replayPosition(record), after)) return
    if (this.#skipped < offset) {
      this.#skipped += 1
      return
    }
    const hasRoom = this.#records.length === 0 || this.#length + length <= MAX_PAGE_LENGTH
    // Once one was left out, what follows it would leave a gap.
    this.#isFull ||= this.#records.length >= limit || !hasRoom
    if (this.#isFull) return
    this.#records.push(record)
    this.#length += length
  }

  /** Whether the page has all it takes: what is offered from now on only counts for the total. */
  get isFull(): boolean {
    return this.#isFull
  }

  page(): ReplayPage {
    const last = this.#records.at(-1)
    const end = this.#isFull && last !== undefined ? replayPosition(last) : null
    return { records: this.#records, total: this.#total, end }
  }
}

/** About as long as its JSON. */
export function lengthOf({ request_body: request = '', response_body: response = '' }: ReplayRecord): number {
  return 1_500 + request.length + response.length
}

/** One page out of those of several places, each asked for `limit` records. */
export function mergeReplayPages(pages: readonly ReplayPage[], limit: number): ReplayPage {
  // Behind the end of any page that has one, records may be missing that belong in between.
  const ends = pages.flatMap(({ end }) => end ?? [])
  const all = pages.flatMap(({ records }) => records).sort(compareReplays)
  const [nearest] = ends.sort(compareInList)
  const known =
    nearest === undefined ? all : all.filter((record) => compareInList(replayPosition(record), nearest) <= 0)
  const records: ReplayRecord[] = []
  let length = 0
  for (const record of known.slice(0, limit)) {
    length += lengthOf(record)
    if (records.length > 0 && length > MAX_PAGE_LENGTH) break
    records.push(record)
  }
  const last = records.at(-1)
  const hasMore = records.length < known.length || nearest !== undefined
  const end = hasMore ? (last === undefined ? (nearest ?? null) : replayPosition(last)) : null
  return { records, total: pages.reduce((sum, { total }) => sum + total, 0), end }
}
