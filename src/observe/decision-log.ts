// Every decision of this process or isolate: those under way, the last thousand in memory, and all of them on their way to
// a store where there is one. A log that fails is counted and told of; no request waits for it, and none fails.

import type { Exchange } from '../pipeline/exchange.ts'
import type { PipelineEvents } from '../pipeline/events.ts'
import { toOpenRecord } from '../pipeline/record.ts'
import { toOrphanRecord } from '../record/open-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type {
  DecisionCounts,
  DecisionLogStatus,
  DecisionLogStore,
  DecisionPage,
  DecisionQuery,
  DecisionSource,
  ReadableRecord,
  TimeRange,
} from '../store/decision-log.ts'
import { mergePages } from '../store/decision-pages.ts'
import { DecisionRing, listed } from '../store/decision-ring.ts'
import { type OpenRequest, OpenRequests } from './open-requests.ts'

export interface DecisionLogOptions {
  /** Null where records are kept in memory alone. */
  readonly store: DecisionLogStore | null
  now(): number
}

export class DecisionLog implements DecisionSource, Pick<PipelineEvents, 'recordOpened' | 'recordClosed'> {
  readonly #options: DecisionLogOptions
  readonly #ring = new DecisionRing()
  readonly #requests: OpenRequests

  constructor(options: DecisionLogOptions) {
    this.#options = options
    this.#requests = new OpenRequests({ now: options.now, tell: (due, by) => this.#tellOpen(due, by) })
  }

  recordOpened(exchange: Exchange): void {
    const { decisionId } = exchange
    if (decisionId === null) return
    this.#requests.open(decisionId, exchange)
    for (const orphan of this.#requests.takeOrphans()) this.#giveUp(orphan, exchange)
  }

  recordClosed(record: DecisionRecord, view: ViewDocument | null): void {
    const request = this.#requests.close(record.decision_id)
    this.#ring.add(record, view)
    // One that was given up has left a record: whoever exports it would count it twice.
    if (request === 'given_up') return
    this.#keep(record, view, request?.exchange ?? null)
  }

  /** The last records of this process or isolate, newest first. */
  recent(limit: number): readonly DecisionRecord[] {
    return this.#ring.recent(limit)
  }

  async query(query: DecisionQuery): Promise<DecisionPage> {
    const open = { records: listed(this.#open(), query), end: null }
    const stored = this.#options.store?.query(query) ?? { records: [], end: null }
    return mergePages([open, await this.#ring.query(query), await stored], query.limit)
  }

  async find(id: string): Promise<ReadableRecord | null> {
    const open = this.#open().find((record) => record.decision_id === id || record.request_id === id)
    return open ?? (await this.#ring.find(id)) ?? (await this.#options.store?.find(id)) ?? null
  }

  async findView(hash: string): Promise<ViewDocument | null> {
    return (await this.#ring.findView(hash)) ?? (await this.#options.store?.findView(hash)) ?? null
  }

  exportRange(range: TimeRange): AsyncIterable<string> {
    return (this.#options.store ?? this.#ring).exportRange(range)
  }

  status(): Promise<DecisionLogStatus> {
    return (this.#options.store ?? this.#ring).status()
  }

  readonly ownCounts = (): DecisionCounts | null => this.#options.store?.ownCounts?.() ?? null

  /** Requests that are cut off leave a record that says so, and everything is written. */
  async close(): Promise<void> {
    for (const request of this.#requests.takeAll()) this.#giveUp(request, request.exchange)
    await this.#options.store?.close()
  }

  /** `by` is the request on whose time it is written. */
  #keep(record: DecisionRecord, view: ViewDocument | null, by: Exchange | null): void {
    const written = this.#options.store?.append([record], view === null ? [] : [view]) ?? null
    // Whoever refuses a record has counted it.
    const settled = written?.catch(() => {})
    if (settled !== undefined) by?.context.waitUntil(settled)
  }

  #giveUp({ decisionId, exchange }: OpenRequest, by: Exchange): void {
    const orphan = toOrphanRecord(toOpenRecord(exchange, decisionId), this.#options.now())
    this.#ring.add(orphan)
    this.#keep(orphan, null, by)
  }

  #tellOpen(due: readonly OpenRequest[], by: Exchange): void {
    const noteOpen = this.#options.store?.noteOpen ?? null
    if (noteOpen === null) return
    const records = due.map(({ decisionId, exchange }) => toOpenRecord(exchange, decisionId))
    // The next round tells again.
    by.context.waitUntil(noteOpen(records).catch(() => {}))
  }

  #open(): readonly ReadableRecord[] {
    return this.#requests.list().map(({ decisionId, exchange }) => toOpenRecord(exchange, decisionId))
  }
}
