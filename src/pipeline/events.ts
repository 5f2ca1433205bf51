// What the pipeline tells the rest of the router. Observers subscribe; the pipeline does not know who they are.

import type { HookOutcome } from './hook-outcomes.ts'
import type { DecisionRecord } from './record.ts'

/** A hook that did not do its work on one request. `why` holds no address and no text of the request. */
export interface HookFailure {
  readonly requestId: string
  readonly hook: string
  readonly outcome: HookOutcome
  readonly why: string
}

export interface PipelineEvents {
  /** A request has ended and its record is complete. Called off the request's path; must not throw. */
  recordClosed(record: DecisionRecord): void
  /** The fleet's state could not be refreshed; decisions are made on an older copy until it can. */
  fleetSyncFailed(cause: unknown): void
  hookFailed(failure: HookFailure): void
  /** A defect of the router surfaced. The cause is for the log, never for the caller. */
  defect(requestId: string, cause: unknown): void
}

/** Passes each event on to every observer, in order. */
export function fanOut(observers: readonly Partial<PipelineEvents>[]): PipelineEvents {
  return {
    recordClosed(record) {
      for (const observer of observers) observer.recordClosed?.(record)
    },
    fleetSyncFailed(cause) {
      for (const observer of observers) observer.fleetSyncFailed?.(cause)
    },
    hookFailed(failure) {
      for (const observer of observers) observer.hookFailed?.(failure)
    },
    defect(requestId, cause) {
      for (const observer of observers) observer.defect?.(requestId, cause)
    },
  }
}
