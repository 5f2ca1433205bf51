// What an attempt came to: an answer that can be passed on, or a failure and what it says about trying again.

import type { StreamTap } from '../dialect/stream-tap.ts'
import type { WorkerConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { ByteReader } from '../platform.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { Lease } from '../store/fleet-lease.ts'
import type { PromptHold } from '../store/prompt-caches.ts'
import type { Span } from '../tracing/request-trace.ts'
import { type FailureClass, TLS_REASON } from '../upstream/retry.ts'
import type { Answer, AttemptOutcome, Interruption } from '../upstream/send.ts'
import type { AttemptEnd, AttemptLine, DecisionTrace } from './exchange.ts'

/** An attempt that a worker answered; whoever holds it passes the answer on, or drops it. */
export interface AnsweredAttempt {
  readonly answer: Answer
  readonly lease: Lease
  readonly worker: WorkerConfig
  readonly candidate: CandidateView
  readonly model: string | null
  /** The decision that chose the worker. */
  readonly trace: DecisionTrace
  /** The attempt's line in the record. */
  readonly line: AttemptLine
  /** The body of an answer that was read to its end; null while it is still to come. */
  readonly whole: Uint8Array<ArrayBuffer> | null
  /** A body that was read to find out whether it can be passed on; null when nothing was read yet. */
  readonly opened: OpenedBody | null
  /** What was noted of the prompt when the attempt began; null where nobody asks where prompts are cached. */
  readonly held: PromptHold | null
  /** Lasts as long as the answer; null where the request leaves none. */
  readonly span: Span | null
}

/** A body to relay, with everything read of it so far. */
export interface OpenedBody {
  readonly reader: ByteReader
  /** Null for a body that is no event stream. */
  readonly tap: StreamTap | null
  readonly head: Uint8Array
}

export interface AttemptFailure {
  readonly class: FailureClass
  readonly error: RouterError
  /** How the record says it. */
  readonly outcome: AttemptEnd
  readonly reason: string | null
  /** The worker's own answer, when it gave one that can be passed on. */
  readonly answered: AnsweredAttempt | null
}

export type AttemptResult =
  | { readonly answered: AnsweredAttempt; readonly failure: null }
  | { readonly answered: null; readonly failure: AttemptFailure }

/** Gives up an answer that is not passed on. What is waited for after it came is no part of its attempt. */
export function dropAnswer({ answer, lease, line, span }: Pick<AnsweredAttempt, 'answer' | 'lease' | 'line' | 'span'>) {
  answer.abort()
  lease.release()
  span?.endAfter(line.ms)
}

/** Has the record say how an attempt ended. */
export function noteEnd(line: AttemptLine, { outcome, reason }: Pick<AttemptFailure, 'outcome' | 'reason'>): void {
  line.outcome = outcome
  line.reason = reason
}

export function failed(failure: AttemptFailure): AttemptResult {
  return { answered: null, failure }
}

/** The failure of an attempt that got no answer, or none to its end. */
export function toFailure(outcome: Exclude<AttemptOutcome, Answer>, bodyFault: RouterError | null): AttemptFailure {
  const ended = { outcome: outcome.kind, reason: reasonOf(outcome), answered: null }
  // The caller's own body broke the attempt, so nothing can be said against the worker.
  if (bodyFault !== null) return { ...ended, class: 'final', error: bodyFault, reason: bodyFault.code }
  switch (outcome.kind) {
    case 'aborted':
    case 'superseded': {
      const error = new RouterError('client_closed_request', 'The client closed the connection.')
      return { ...ended, class: 'final', error }
    }
    case 'timeout': {
      const error = new RouterError('upstream_timeout', `The worker took longer than the ${outcome.limit} timeout.`)
      // The time of the whole exchange is up for every worker alike.
      return { ...ended, class: outcome.limit === 'total' ? 'final' : 'maybe_sent', error }
    }
    case 'unreachable': {
      if (outcome.reason === TLS_REASON) {
        const error = new RouterError(
          'upstream_tls',
          'No TLS connection to the worker: its certificate is not accepted.',
        )
        return { ...ended, class: outcome.phase, error }
      }
      const message =
        outcome.phase === 'not_sent'
          ? 'The worker could not be reached.'
          : 'The connection to the worker broke before it answered.'
      return { ...ended, class: outcome.phase, error: new RouterError('upstream_unreachable', message) }
    }
  }
}

function reasonOf(outcome: Exclude<AttemptOutcome, Answer>): string | null {
  if (outcome.kind === 'timeout') return outcome.limit
  return outcome.kind === 'unreachable' ? outcome.reason : null
}

/** What an answer's end from this side is called where there was no answer yet. */
export function toOutcome(cause: Interruption): Exclude<AttemptOutcome, Answer> {
  return cause.kind === 'client_gone' ? { kind: 'aborted' } : cause.kind === 'timeout' ? cause : { kind: 'superseded' }
}
