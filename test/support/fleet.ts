// What tests of the fleet's state are made of: reports, snapshots, workers and settings, all as usual but for what is given.

import type { BreakerConfig, HealthConfig, WorkerConfig } from '../../src/config/config.ts'
import { toBreaker } from '../../src/config/health-schema.ts'
import type { FleetConfig } from '../../src/store/fleet-health.ts'
import type { FleetSnapshot, HolderReport, WorkerOutcomes, WorkerState } from '../../src/store/fleet-store.ts'

export const HEALTH: HealthConfig = {
  intervalMs: 5_000,
  timeoutMs: 2_000,
  failureThreshold: 3,
  successThreshold: 2,
  endpoint: '/health',
  stallMs: 120_000,
  panicThreshold: 0.5,
  usesOpenLast: true,
}

export const BREAKER: BreakerConfig = {
  failureThreshold: 5,
  successThreshold: 2,
  openMs: 10_000,
  windowMs: 30_000,
  errorRate: 0.5,
  minimumVolume: 20,
  halfOpenProbes: 1,
}

/** What a configuration without a section of its own gets. */
export function defaultBreaker(): BreakerConfig {
  const breaker = toBreaker(undefined, false)
  if (breaker === null) throw new Error('breakers are switched on by default')
  return breaker
}

/** A worker `http://<id>.test` that nothing is known of. */
export function workerOf(id: string, given: Partial<WorkerConfig> = {}): WorkerConfig {
  const plain = { isNamed: true, models: null, weight: 1, labels: {}, apiKey: null, binding: null, dataParallelSize: 1 }
  return { id, url: `http://${id}.test`, ...plain, ...given }
}

/** A pool of the workers named. */
export function fleetConfigOf(ids: readonly string[], given: Partial<FleetConfig> = {}): FleetConfig {
  return { workers: ids.map((id) => workerOf(id)), health: HEALTH, breaker: BREAKER, ...given }
}

/** A report of a holder with nothing in flight. */
export function reportOf(holder: string, given: Partial<HolderReport> = {}): HolderReport {
  return {
    holder,
    inFlight: new Map(),
    quietMs: new Map(),
    unheardMs: new Map(),
    unreachable: [],
    outcomes: null,
    permits: [],
    wantsPermits: false,
    ticketsWanted: new Map(),
    isUrgent: false,
    ...given,
  }
}

/** Outcomes of one worker, none but for what is given. */
export function outcomesOf(workerId: string, given: Partial<WorkerOutcomes> = {}): WorkerOutcomes {
  const faultsInRow = given.faults ?? 0
  return { workerId, epoch: 0, oks: 0, faults: 0, faultsInRow, busies: 0, busyForMs: 0, ...given }
}

/** A worker that is up and serves `m`. */
export function workerStateOf(workerId: string, given: Partial<WorkerState> = {}): WorkerState {
  return {
    workerId,
    availability: 'up',
    reason: 'probe_ok',
    sinceMs: 0,
    models: ['m'],
    checkedAtMs: 0,
    load: null,
    share: 1,
    busyUntilMs: null,
    epoch: 0,
    breaker: { state: 'closed', retryAtMs: null, errorRate: null },
    drain: null,
    ...given,
  }
}

/** A snapshot without workers. */
export function snapshotOf(takenAtMs: number, given: Partial<FleetSnapshot> = {}): FleetSnapshot {
  const plain = { ageMs: 0, workers: [], inFlightElsewhere: new Map(), tickets: new Map(), permits: [] }
  return { takenAtMs, ...plain, ...given }
}
