// What the pipeline tells the rest of the router. Observers subscribe; the pipeline does not know who they are.

import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import type { ReferenceChange } from './cluster-index.ts'
import type { Exchange } from './exchange.ts'
import type { HookOutcome } from './hook-outcomes.ts'
import type { ExchangeOutcome } from '../record/lifecycle.ts'
import type { WorkerChange } from '../store/worker-changes.ts'
import type { ServiceFailureReason } from '../upstream/json-service.ts'
import type { Sight } from '../upstream/lmcache/blindness.ts'
import type { KeyServiceFailure } from './key-validation.ts'
import type { ProbeOutcome } from './lmcache-sight.ts'

/** A hook that did not do its work on one request. `why` holds no address and no text of the request. */
export interface HookFailure {
  readonly requestId: string
  readonly hook: string
  readonly outcome: HookOutcome
  readonly why: string
}

/** A cache that could not be asked, or told. */
export interface CacheFailure {
  readonly backend: string
  readonly why: 'timeout' | 'error'
  /** What an error was, where that is known; for the log. */
  readonly cause?: unknown
}

/** A question about LMCache's caches that came to nothing. `why` holds no address and no text of the request. */
export interface LmcacheFailure {
  readonly requestId: string
  readonly step: 'tokenize' | 'lookup'
  /** Whose tokenizer it was; null for the control plane. */
  readonly worker: string | null
  readonly outcome: ServiceFailureReason
  readonly why: string
}

/** How sending spans or metrics to a collector goes: told when it begins to fail, and when it works again. */
export interface ExporterChange {
  readonly signal: 'traces' | 'metrics'
  readonly state: 'failing' | 'recovered'
  /** Spans, or messages of metrics, that were lost so far. */
  readonly lost: number
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
  /** A request has ended that nobody is known to have sent, so that it leaves no record. */
  strangerClosed(exchange: Exchange, end: ExchangeOutcome): void
  /** The fleet has come to another opinion of a worker. */
  workerChanged(change: WorkerChange): void
  /** The fleet's state could not be refreshed; decisions are made on an older copy until it can. */
  fleetSyncFailed(cause: unknown): void
  /** The store of tenants' limits could not be asked; they go on by a local share until it can. */
  limitStoreFailed(cause: unknown): void
  /** One of the two answers again after it had failed. */
  storeRecovered(store: 'fleet' | 'limits'): void
  hookFailed(failure: HookFailure): void
  /** The place where answers are kept could not be asked in time; the request goes on without it. */
  cacheFailed(failure: CacheFailure): void
  /** It has answered again. Told of response caches. */
  cacheRecovered(place: Pick<CacheFailure, 'backend'>): void
  /** Its control plane, or a worker's tokenizer, did not do its part; the request goes on without. */
  lmcacheFailed(failure: LmcacheFailure): void
  /** LMCache speaks of an instance that is none of the workers. Told once of each. */
  lmcacheStranger(instanceId: string): void
  /** LMCache's control plane was asked for a prompt that a worker had just computed. */
  lmcacheProbed(outcome: ProbeOutcome): void
  /** It has turned out to be blind, or to see again. */
  lmcacheSightChanged(sight: Sight, likelyCauses: string | null): void
  /** A service of `api_key_validation_urls` did not say whether a key is good. */
  keyServiceFailed(failure: KeyServiceFailure): void
  /** Vectors that requests are compared with are there, are gone, or can't be had for now. */
  referencesChanged(change: ReferenceChange): void
  /** Collectors of spans or metrics can't be reached, or can be again. */
  exporterChanged(change: ExporterChange): void
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
    strangerClosed(exchange, end) {
      for (const observer of observers) observer.strangerClosed?.(exchange, end)
    },
    workerChanged(change) {
      for (const observer of observers) observer.workerChanged?.(change)
    },
    fleetSyncFailed(cause) {
      for (const observer of observers) observer.fleetSyncFailed?.(cause)
    },
    limitStoreFailed(cause) {
      for (const observer of observers) observer.limitStoreFailed?.(cause)
    },
    cacheFailed(failure) {
      for (const observer of observers) observer.cacheFailed?.(failure)
    },
    cacheRecovered(place) {
      for (const observer of observers) observer.cacheRecovered?.(place)
    },
    hookFailed(failure) {
      for (const observer of observers) observer.hookFailed?.(failure)
    },
    lmcacheFailed(failure) {
      for (const observer of observers) observer.lmcacheFailed?.(failure)
    },
    lmcacheProbed(outcome) {
      for (const observer of observers) observer.lmcacheProbed?.(outcome)
    },
    lmcacheSightChanged(sight, likelyCauses) {
      for (const observer of observers) observer.lmcacheSightChanged?.(sight, likelyCauses)
    },
    lmcacheStranger(instanceId) {
      for (const observer of observers) observer.lmcacheStranger?.(instanceId)
    },
    keyServiceFailed(failure) {
      for (const observer of observers) observer.keyServiceFailed?.(failure)
    },
    referencesChanged(change) {
      for (const observer of observers) observer.referencesChanged?.(change)
    },
    storeRecovered(store) {
      for (const observer of observers) observer.storeRecovered?.(store)
    },
    exporterChanged(change) {
      for (const observer of observers) observer.exporterChanged?.(change)
    },
    defect(requestId, cause) {
      for (const observer of observers) observer.defect?.(requestId, cause)
    },
  }
}
