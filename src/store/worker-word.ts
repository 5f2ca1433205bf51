// The one word for everything that is held for and against a worker, and why it is that one.

import type { Availability } from '../routing/policy.ts'
import type { AvailabilityReason, BreakerState, DrainPhase, WorkerObservation } from './fleet-store.ts'
import type { ProbeWord } from './probe-judge.ts'
import type { TripCause } from './worker-breaker.ts'

export interface WorkerSigns {
  readonly drain: DrainPhase | null
  readonly isAsleep: boolean
  readonly probed: ProbeWord
  readonly lastProbe: WorkerObservation['health'] | null
  readonly phase: BreakerState['state']
  /** Why the breaker is not closed; null while it is. */
  readonly cause: TripCause | null
  /** A request could not reach it, and no probe has since. */
  readonly isSuspect: boolean
}

/** What weighs most comes first: an operator, the worker's own word, then what is the surest to fail. */
export function wordFor({ drain, isAsleep, probed, phase, cause, isSuspect }: WorkerSigns): Availability {
  if (drain !== null) return drain
  if (isAsleep) return 'asleep'
  if (probed === 'down') return 'down'
  // One out for its error rate stays `ejected` while it is tried, as panic may use it all along.
  if (cause === 'error_rate') return 'ejected'
  if (phase === 'open') return cause === 'no_progress' ? 'hung' : 'open'
  // A worker whose probes are wrong must be able to close its breaker, so this comes before them.
  if (phase === 'half_open') return 'half_open'
  if (probed === 'ejected') return 'ejected'
  return isSuspect ? 'suspect' : probed
}

export function reasonFor(word: Availability, signs: WorkerSigns): AvailabilityReason {
  switch (word) {
    case 'draining':
    case 'parked':
      return 'drained'
    case 'asleep':
      return 'sleeping'
    case 'open':
      return 'faults_in_row'
    case 'hung':
      return 'no_progress'
    case 'half_open':
      return 'recovering'
    case 'down':
      return 'probe_refused'
    case 'ejected':
      return signs.cause === 'error_rate' ? 'error_rate' : probeReason(signs.lastProbe)
    case 'suspect':
      return signs.isSuspect ? 'request_failed' : probeReason(signs.lastProbe)
    case 'unknown':
      return 'not_asked_yet'
    case 'up':
      return 'probe_ok'
  }
}

function probeReason(lastProbe: WorkerSigns['lastProbe']): AvailabilityReason {
  switch (lastProbe) {
    case 'timeout':
      return 'probe_timeout'
    case 'bad_status':
      return 'probe_status'
    case 'unreachable':
      return 'probe_refused'
    // Well again, but not often enough yet.
    case 'ok':
      return 'recovering'
    case null:
      return 'not_asked_yet'
  }
}

/** Whether a worker of that word gets no usual work, so that it comes back cold. */
export function isOut(word: Availability): boolean {
  return word !== 'up' && word !== 'unknown' && word !== 'suspect'
}
