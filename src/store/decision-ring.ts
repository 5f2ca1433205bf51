// The last decisions in memory. What a router has when it exports nothing, and what it answers first when it does.

import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { isInTime, matches } from './decision-filters.ts'
import type {
  DecisionLogStatus,
  DecisionLogStore,
  DecisionPage,
  DecisionQuery,
  ReadableRecord,
  TimeRange,
} from './decision-log.ts'
import { toPage } from './decision-pages.ts'
import { compareInList, isAfter, positionOf } from './decision-position.ts'
import { ViewShelf } from './view-shelf.ts'

export const DECISION_RING_SIZE = 1_000

export class DecisionRing implements DecisionLogStore {
  readonly noteOpen = null
  readonly #size: number
  /** Oldest first: a map keeps the order of insertion. */
  readonly #records = new Map<string, DecisionRecord>()
  /** Whose turn it is to go: the first of a map is found past all those that have been deleted before it. */
  readonly #places: DecisionRecord[] = []
  #nextPlace = 0
  readonly #views = new ViewShelf()
  #stored = 0

  constructor(size: number = DECISION_RING_SIZE) {
    this.#size = size
  }

  async append(records: readonly DecisionRecord[], views: readonly ViewDocument[]): Promise<void> {
    for (const view of views) this.#views.put(view)
    for (const record of records) this.add(record)
  }

  /** The same without a promise, for whoever has one record and no time. */
  add(record: DecisionRecord, view: ViewDocument | null = null): void {
    const known = this.#records.get(record.decision_id)
    if (known !== undefined && known.lifecycle_state !== 'unknown') return
    this.#remove(known)
    if (view !== null) this.#views.put(view)
    this.#stored += 1
    this.#records.set(record.decision_id, record)
    this.#views.use(record.view_hash)
    const oldest = this.#places[this.#nextPlace]
    this.#places[this.#nextPlace] = record
    this.#nextPlace = (this.#nextPlace + 1) % this.#size
    // One that was closed after all stands in the place of its end.
    if (oldest !== undefined && this.#records.get(oldest.decision_id) === oldest) this.#remove(oldest)
  }

  /** The newest first, as they came. */
  recent(limit: number): readonly DecisionRecord[] {
    return [...this.#records.values()].toReversed().slice(0, limit)
  }

  async query(query: DecisionQuery): Promise<DecisionPage> {
    return toPage(listed(this.#records.values(), query), query.limit)
  }

  async find(id: string): Promise<DecisionRecord | null> {
    const known = this.#records.get(id)
    if (known !== undefined) return known
    const ofRequest = Array.from(this.#records.values()).filter((record) => record.request_id === id)
    return ofRequest.sort((one, other) => compareInList(positionOf(one), positionOf(other)))[0] ?? null
  }

  async findView(hash: string): Promise<ViewDocument | null> {
    return this.#views.find(hash)
  }

  async *exportRange({ sinceMs, untilMs }: TimeRange): AsyncIterable<string> {
    const inRange = Array.from(this.#records.values()).filter((record) =>
      isInTime({ sinceMs, untilMs }, Date.parse(record.timestamp)),
    )
    for (const record of inRange) yield `${JSON.stringify(record)}\n`
  }

  async status(): Promise<DecisionLogStatus> {
    return { kind: 'memory', stored: this.#stored, exported: 0, waiting: 0, lagMs: 0, lost: 0, failing: null }
  }

  async close(): Promise<void> {}

  #remove(record: DecisionRecord | undefined): void {
    if (record === undefined) return
    this.#records.delete(record.decision_id)
    this.#views.drop(record.view_hash)
  }
}

/** Those of some records that a query is about. */
export function listed(
  records: Iterable<ReadableRecord>,
  { filters, after }: DecisionQuery,
): readonly ReadableRecord[] {
  return Array.from(records).filter((record) => {
    const position = positionOf(record)
    return isInTime(filters, position.timeMs) && isAfter(position, after) && matches(filters, record)
  })
}
