// The contract for where decision records go, and how they are found again. Implementations: decision-ring.ts (memory),
// decision-file.ts, durable-decisions.ts with runtime/cloudflare-decision-log.ts.

import type { OpenRecord } from '../record/open-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { StoredRecord } from '../record/stored-record.ts'
import type { ViewDocument } from '../record/view-document.ts'

/** A record as a reader meets it: closed, or of a request that is still under way. */
export type ReadableRecord = StoredRecord | OpenRecord

/** What a record must be to be listed; what is absent does not matter. */
export interface DecisionFilters {
  /** Not before this time, in milliseconds since the epoch. */
  readonly sinceMs?: number | undefined
  /** Before this time. */
  readonly untilMs?: number | undefined
  /** A worker's id, also for each of its ranks; or one rank as `id@rank`. */
  readonly worker?: string | undefined
  /** Routed to or asked for. */
  readonly model?: string | undefined
  readonly tenant?: string | undefined
  readonly policy?: string | undefined
  readonly method?: string | undefined
  /** Both ends included; a request that is under way has no status. */
  readonly status?: { readonly from: number; readonly to: number } | undefined
  readonly decision?: string | undefined
  readonly sessionId?: string | undefined
  /** Any part of an id, a model, a worker or an error code, in upper or lower case. Prompts are never looked at. */
  readonly text?: string | undefined
}

/** A record's place in the list of all records: newest first by time, then by id. */
export interface Position {
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  readonly id: string
}

export interface DecisionQuery {
  readonly filters: DecisionFilters
  /** Only what comes after this one in the order of the list: `end` of the page before; null to begin. */
  readonly after: Position | null
  readonly limit: number
}

/** Newest first. */
export interface DecisionPage<Listed = ReadableRecord> {
  readonly records: readonly Listed[]
  /**
   * Where the next page begins; null when there is none. A page can have fewer records than were asked for, or none, and
   * still have an end: a store looks at so many records a call and no more.
   */
  readonly end: Position | null
}

/** Half open: from `sinceMs`, before `untilMs`. */
export interface TimeRange {
  readonly sinceMs: number
  readonly untilMs: number
}

/** How a log is doing, since this process or object began. */
export interface DecisionLogStatus {
  readonly kind: 'memory' | 'file' | 'durable_object'
  /** Records that were taken. */
  readonly stored: number
  /** Those of them that have been written to the export. */
  readonly exported: number
  /** Those that have yet to be. */
  readonly waiting: number
  /** How long the oldest of those has been waiting. */
  readonly lagMs: number
  /** Records that there was no room for, or that nobody would take. */
  readonly lost: number
  /** Why nothing can be written at the moment; null when all is well. */
  readonly failing: string | null
}

export type DecisionCounts = Pick<DecisionLogStatus, 'stored' | 'lost'>

/** Reading a log. Every call may reject: disks and objects can be out of reach. */
export interface DecisionSource {
  query(query: DecisionQuery): Promise<DecisionPage>
  /** The record of this decision id, or the newest of this request id. */
  find(id: string): Promise<ReadableRecord | null>
  findView(hash: string): Promise<ViewDocument | null>
  /** The export of a time range: whole lines, each with its line feed, several to a piece. Roughly in order of time. */
  exportRange(range: TimeRange): AsyncIterable<string>
  status(): Promise<DecisionLogStatus>
  /** What this very isolate handed over, where `status` is about those of all; absent where they are the same. */
  readonly ownCounts?: () => DecisionCounts | null
}

export interface DecisionLogStore extends DecisionSource {
  /**
   * Resolves once the records are as safe as the store makes them (docs/decision-log.md); null when another request of this
   * isolate sees to that, and there is nothing to wait for. Rejects when they are lost as far as it knows; a record that is
   * handed over again after that is kept once. `views` are documents that the records name; they are kept once, however
   * often they come.
   */
  append(records: readonly DecisionRecord[], views: readonly ViewDocument[]): Promise<void> | null
  /**
   * Says that these requests are under way; whichever is not heard of again will be closed as `unknown`. Null where
   * requests can't outlive their router.
   */
  readonly noteOpen: ((records: readonly OpenRecord[]) => Promise<void>) | null
  /** Writes what is waiting, as far as it can be written. */
  close(): Promise<void>
}
