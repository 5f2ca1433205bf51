// What the pipeline tells the rest of the router. Observers subscribe; the pipeline does not know who they are.

import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type { Exchange } from './exchange.ts'
import type { HookOutcome } from './hook-outcomes.ts'
import type { KeyServiceFailure } from './key-validation.ts'

/** A hook that did not do its work on one request. `why` holds no address and no text of the request. */
export interface HookFailure {
  readonly requestId: string
  readonly hook: string
  readonly outcome: HookOutcome
  readonly why: string
}

export interface PipelineEvents {
  /**
   * A request has passed authentication, so it will leave a record. Its exchange goes on changing; `toOpenRecord` says what
   * is known of it by then. Called on the request's path; must not throw.
   */
  recordOpened(exchange: Exchange): void
  /**
   * A request has ended and its record is complete. `view` is the document that its `view_hash` names, null when nothing
   * was decided; `exchange` is what it was made from. Called off the request's path; must not throw.
   */
  recordClosed(record: DecisionRecord, view: ViewDocument | null, exchange: Exchange): void
  /** The fleet's state could not be refreshed; decisions are made on an older copy until it can. */
  fleetSyncFailed(cause: unknown): void
  /** The store of tenants' limits could not be asked; they go on by a local share until it can. */
  limitStoreFailed(cause: unknown): void
  hookFailed(failure: HookFailure): void
  /** A service of `api_key_validation_urls` did not say whether a key is good. */
  keyServiceFailed(failure: KeyServiceFailure): void
  /** A defect of the router surfaced. The cause is for the log, never for the caller. */
  defect(requestId: string, cause: unknown): void
}

/** Passes each event on to every observer, in order. */
export function fanOut(observers: readonly Partial<PipelineEvents>[]): PipelineEvents {
  // As a rule nobody listens to this one.
  const opening = observers.filter(({ recordOpened }) => recordOpened !== undefined)
  return {
    recordOpened(exchange) {
      for (const observer of opening) observer.recordOpened?.(exchange)
    },
    recordClosed(record, view, exchange) {
      for (const observer of observers) observer.recordClosed?.(record, view, exchange)
    },
    fleetSyncFailed(cause) {
      for (const observer of observers) observer.fleetSyncFailed?.(cause)
    },
    limitStoreFailed(cause) {
      for (const observer of observers) observer.limitStoreFailed?.(cause)
    },
    hookFailed(failure) {
      for (const observer of observers) observer.hookFailed?.(failure)
    },
    keyServiceFailed(failure) {
      for (const observer of observers) observer.keyServiceFailed?.(failure)
    },
    defect(requestId, cause) {
      for (const observer of observers) observer.defect?.(requestId, cause)
    },
  }
}
