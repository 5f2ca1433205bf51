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
}

/** Of workers that both know, in the order of the later one. */
export function workerChanges(before: FleetSnapshot, after: FleetSnapshot): readonly WorkerChange[] {
  if (before === after) return []
  const known = new Map(before.workers.map((worker) => [worker.workerId, worker]))
  return after.workers.flatMap(({ workerId, availability, breaker, reason }) => {
    const then = known.get(workerId)
    if (then === undefined) return []
    if (then.availability === availability && then.breaker.state === breaker.state) return []
    return [
      {
        workerId,
        availability: { from: then.availability, to: availability },
        breaker: { from: then.breaker.state, to: breaker.state },
        reason,
      },
    ]
  })
}
