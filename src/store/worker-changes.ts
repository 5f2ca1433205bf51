// What has changed about workers between two snapshots, for those who tell or count it. What came and went in between nobody
// here has seen.

import type { Availability } from '../routing/policy.ts'
import type { AvailabilityReason, BreakerState, FleetSnapshot } from './fleet-store.ts'

export interface Change<State> {
  readonly from: State
  readonly to: State
}

export interface WorkerChange {
  readonly workerId: string
  readonly availability: Change<Availability>
  readonly breaker: Change<BreakerState['state']>
  /** For what it is now. */
  readonly reason: AvailabilityReason
  /** Of the worker as it is now: with its breaker's state it names this change, whoever hears of it. */
  readonly epoch: number
}

/** What is wrong when the fleet is first heard of: workers that were out of order before anybody here looked. */
export function firstChanges(snapshot: FleetSnapshot): readonly WorkerChange[] {
  return snapshot.workers.flatMap(({ workerId, availability, breaker, reason, epoch }) => {
    if (availability === 'up' || availability === 'unknown') return []
    const { state } = breaker
    const from = 'unknown' as const
    return [{ workerId, availability: { from, to: availability }, breaker: { from: state, to: state }, reason, epoch }]
  })
}

/** Of workers that both know, in the order of the later one. */
export function workerChanges(before: FleetSnapshot, after: FleetSnapshot): readonly WorkerChange[] {
  if (before === after) return []
  const known = new Map(before.workers.map((worker) => [worker.workerId, worker]))
  return after.workers.flatMap(({ workerId, availability, breaker, reason, epoch }) => {
    const then = known.get(workerId)
    if (then === undefined) return []
    if (then.availability === availability && then.breaker.state === breaker.state) return []
    return [
      {
        workerId,
        availability: { from: then.availability, to: availability },
        breaker: { from: then.breaker.state, to: breaker.state },
        reason,
        epoch,
      },
    ]
  })
}
