// A worker as operators see it: what the fleet agrees on, and what this process or isolate knows on top.

import type { WorkerConfig } from '../config/config.ts'
import type { Availability } from '../routing/policy.ts'
import { candidateIdsOf, type FleetRoster } from './fleet-roster.ts'
import type { AvailabilityReason, BreakerState, DrainState, KnownLoad } from './fleet-store.ts'

export interface WorkerStatus {
  readonly id: string
  readonly url: string
  readonly availability: Availability
  readonly reason: AvailabilityReason
  /** Since when; null when it never was anything else, or the fleet has not heard of it yet. */
  readonly sinceMs: number | null
  readonly checkedAtMs: number | null
  /** Model ids, configured or learned; null while nothing is known. */
  readonly models: readonly string[] | null
  /** What it last said of itself, and how long ago that was. */
  readonly load: (KnownLoad & { readonly ageMs: number }) | null
  /** Requests of this process or isolate: exact. */
  readonly inFlightHere: number
  /** Requests of others, as last heard. */
  readonly inFlightElsewhere: number
  readonly drain: DrainState | null
  readonly breaker: BreakerState
  readonly share: number
  /** Until when it wants to be left alone; null when it does not. */
  readonly busyUntilMs: number | null
}

/** What a status is made of. */
export interface StatusSources {
  readonly roster: FleetRoster
  readonly nowMs: number
  /** The fleet's word, with what our own requests found out since. */
  readonly availability: Availability
  /** The share that our own requests' answers leave it. */
  readonly ownShare: number
  /** Until when it asked our own requests to leave it alone; 0 when it did not. */
  readonly ownBusyUntilMs: number
  inFlightHere(candidateId: string): number
}

export function toWorkerStatus(worker: WorkerConfig, from: StatusSources): WorkerStatus {
  const { roster, nowMs, availability } = from
  const state = roster.states.get(worker.id)
  const candidates = candidateIdsOf(worker)
  const sum = (of: (candidateId: string) => number) => candidates.reduce((total, id) => total + of(id), 0)
  const load = state?.load ?? null
  const models = roster.modelsByWorker.get(worker.id)
  // The fleet has not said why when it does not know yet what our own requests found out.
  const isOwn = availability !== (state?.availability ?? 'unknown')
  const busyUntilMs = Math.max(state?.busyUntilMs ?? 0, from.ownBusyUntilMs)
  const isBusy = busyUntilMs > nowMs
  return {
    id: worker.id,
    url: worker.url,
    availability,
    reason: isOwn ? ownReason(availability, isBusy) : (state?.reason ?? 'not_asked_yet'),
    sinceMs: isOwn ? null : (state?.sinceMs ?? null),
    checkedAtMs: state?.checkedAtMs ?? null,
    models: models === undefined ? null : [...models],
    load: load === null ? null : { ...load, ageMs: Math.max(0, nowMs - load.atMs) },
    inFlightHere: sum(from.inFlightHere),
    inFlightElsewhere: sum((id) => roster.entries.get(id)?.inFlightElsewhere ?? 0),
    drain: state?.drain ?? null,
    breaker: state?.breaker ?? { state: 'closed', retryAtMs: null, errorRate: null },
    share: Math.min(state?.share ?? 1, from.ownShare),
    busyUntilMs: isBusy ? busyUntilMs : null,
  }
}

function ownReason(availability: Availability, isBusy: boolean): AvailabilityReason {
  if (availability === 'open') return 'faults_in_row'
  return isBusy ? 'busy' : 'request_failed'
}
