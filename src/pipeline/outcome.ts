// What the end of an attempt says about its worker. Three classes: a fault speaks against it, pressure asks for less, and
// what is the caller's doing says nothing. Only faults and successes move a breaker.

import type { Lease } from '../store/fleet-lease.ts'
import type { Outcome } from '../store/outcome-ledger.ts'
import type { StreamEnd } from '../upstream/relay.ts'
import { retryAfterMs } from '../upstream/retry.ts'
import type { Answer, AttemptOutcome, Interruption } from '../upstream/send.ts'
import type { AttemptFailure } from './attempt-result.ts'

/** How long a worker that is out of capacity, and does not say for how long, is left alone. */
const UNAVAILABLE_MS = 1_000

/** Statuses from 500 on that say what the worker can't do at all, and not that it failed. */
const UNSUPPORTED_STATUSES: ReadonlySet<number> = new Set([501, 505])

/** How far an attempt got: its answer's beginning, or whatever kept it from that. */
export interface BegunAttempt {
  readonly outcome: AttemptOutcome
  readonly failure: AttemptFailure | null
  /** The worker's status: that of its answer, or of an error that a stream began with. */
  readonly status: number | null
}

/** The word of an attempt that has got as far as its answer's beginning; null while its end decides, and for none. */
export function outcomeOfAttempt(begun: BegunAttempt, nowMs: number): Outcome | null {
  const { outcome, failure } = begun
  if (outcome.kind === 'answer') return outcomeOfAnswer(outcome, begun, nowMs)
  // The caller's own body broke off, or the time for everything is up: no worker could have helped that.
  if (failure?.class === 'final') return null
  if (outcome.kind === 'timeout') return { kind: 'fault', reach: 'sent' }
  return outcome.kind === 'unreachable' ? { kind: 'fault', reach: outcome.phase } : null
}

function outcomeOfAnswer(answer: Answer, { failure, status }: BegunAttempt, nowMs: number): Outcome | null {
  const { response } = answer
  const byStatus = outcomeOfStatus(status ?? response.status, response.headers, nowMs)
  if (byStatus !== null) return byStatus
  if (failure === null) return null
  const cause = answer.interruption()
  if (cause !== null) return outcomeOfInterruption(cause)
  return { kind: 'fault', reach: failure.class === 'maybe_sent' ? 'maybe_sent' : 'sent' }
}

/** Null for a status that leaves it to the body. */
function outcomeOfStatus(status: number, headers: Pick<Headers, 'get'>, nowMs: number): Outcome | null {
  const waitMs = retryAfterMs(headers, nowMs)
  if (status === 429) return { kind: 'busy', waitMs }
  if (status === 503) return { kind: 'busy', waitMs: waitMs === 0 ? UNAVAILABLE_MS : waitMs }
  if (status >= 500 && !UNSUPPORTED_STATUSES.has(status)) return { kind: 'fault', reach: 'sent' }
  return status >= 400 ? { kind: 'caller' } : null
}

/** Notes how an attempt ended whose answer was passed on. What its status said before stays. */
export function noteBody(lease: Lease, end: StreamEnd, answer: Pick<Answer, 'interruption'>): void {
  const outcome = outcomeOfBody(end, answer)
  if (outcome !== null) lease.note(outcome)
}

/** Null when the end says nothing. */
function outcomeOfBody(end: StreamEnd, answer: Pick<Answer, 'interruption'>): Outcome | null {
  switch (end) {
    case 'complete':
      return { kind: 'ok' }
    case 'truncated':
      return { kind: 'fault', reach: 'maybe_sent' }
    case 'timeout': {
      const cause = answer.interruption()
      return cause === null ? { kind: 'fault', reach: 'sent' } : outcomeOfInterruption(cause)
    }
    // The worker said itself what was wrong, in good order.
    case 'upstream_error':
      return { kind: 'caller' }
    case 'client_aborted':
      return null
  }
}

/** A client that left says nothing, and a worker that was still at work when all time was up may have been right. */
function outcomeOfInterruption(cause: Interruption): Outcome | null {
  return cause.kind === 'timeout' && cause.limit !== 'total' ? { kind: 'fault', reach: 'sent' } : null
}
