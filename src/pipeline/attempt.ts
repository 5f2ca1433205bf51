// One attempt of a request at one candidate: lease, request, and what its answer or failure means for the next step.

import { createStreamTap } from '../dialect/stream-tap.ts'
import type { WorkerConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { WorkerAnswer } from '../platform.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { Lease } from '../store/lease-book.ts'
import { toWorkerHeaders } from '../upstream/headers.ts'
import { classifyStatus, type FailureClass, retryAfterMs } from '../upstream/retry.ts'
import { type Answer, type AttemptOutcome, type Interruption, sendAttempt } from '../upstream/send.ts'
import { mediaType } from './answer-body.ts'
import type { AttemptEnd, AttemptLine, DecisionTrace, Exchange } from './exchange.ts'
import { type OpenedStream, waitForFirstEvent } from './gate.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'

/** An attempt that a worker answered; whoever holds it passes the answer on, or drops it. */
export interface AnsweredAttempt {
  readonly answer: Answer
  readonly lease: Lease
  readonly worker: WorkerConfig
  readonly candidate: CandidateView
  readonly model: string | null
  /** The decision that chose the worker. */
  readonly trace: DecisionTrace
  /** What the gate read of a stream; null when nothing was read yet. */
  readonly opened: OpenedStream | null
}

export interface AttemptFailure {
  readonly class: FailureClass
  readonly error: RouterError
  /** The worker's own answer, when it gave one that can be passed on. */
  readonly answered: AnsweredAttempt | null
}

export type AttemptResult =
  | { readonly answered: AnsweredAttempt; readonly failure: null }
  | { readonly answered: null; readonly failure: AttemptFailure }

export interface AttemptOptions {
  readonly candidate: CandidateView
  readonly worker: WorkerConfig
  readonly model: string | null
  readonly trace: DecisionTrace
  /** Whether a stream counts as answered only with its first event. */
  readonly isGated: boolean
  /** Fires when another attempt has won. */
  readonly superseded: AbortSignal | null
}

/** Notes whom a decision chose, for headers and record: the last one begun, and in the end the one that is passed on. */
export function noteChoice(
  exchange: Exchange,
  { candidate, worker, model, trace }: Pick<AnsweredAttempt, 'candidate' | 'worker' | 'model' | 'trace'>,
): void {
  exchange.trace = trace
  exchange.method = trace.decision.method
  exchange.model = model
  exchange.worker = { id: candidate.id, config: worker }
}

/** Gives up an answer that is not passed on. */
export function dropAnswer({ answer, lease }: Pick<AnsweredAttempt, 'answer' | 'lease'>): void {
  answer.abort()
  lease.release()
}

/** Never rejects for what a worker does. The lease is given back unless the result holds an answer. */
export async function attempt(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  options: AttemptOptions,
): Promise<AttemptResult> {
  const { platform, mirror } = parts
  const { candidate, worker } = options
  const lease = mirror.acquire(candidate.id)
  const startedAtMs = platform.now()
  const line: AttemptLine = {
    worker: candidate.id,
    workerId: worker.id,
    outcome: 'open',
    reason: null,
    status: null,
    ms: 0,
  }
  exchange.attempts.push(line)
  const outcome = await sendAttempt(platform, toAttemptRequest(parts, exchange, request, { ...options, lease }))
  const result =
    outcome.kind === 'answer'
      ? await readAnswer(parts, request, { ...options, answer: outcome, lease })
      : { answered: null, failure: toFailure(outcome, request.bodyFault()) }
  if (result.failure?.answered === null) lease.release()
  noteResult(parts, worker.id, outcome, result)
  closeLine(line, outcome, result, platform.now() - startedAtMs)
  return result
}

function toAttemptRequest(
  { config }: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { worker, candidate, model, lease, superseded }: AttemptOptions & { readonly lease: Lease },
): Parameters<typeof sendAttempt>[1] {
  const earlier = exchange.attempts.length - 1
  return {
    worker,
    target: request.target,
    method: request.method,
    headers: toWorkerHeaders(request.headers, {
      worker,
      rank: candidate.rank,
      // Ids are unique per attempt: vLLM takes them for its own, and one that is still live there is an error.
      requestId: earlier === 0 ? exchange.requestId : `${exchange.requestId}-r${earlier}`,
      forward: config.forwardHeaders,
    }),
    body: request.bodyFor(model),
    timeouts: config.timeouts,
    clientSignal: request.signal,
    superseded,
    onTick: () => lease.renew(),
  }
}

async function readAnswer(
  { config }: RouterParts,
  request: InferenceRequest,
  options: AttemptOptions & { readonly answer: Answer; readonly lease: Lease },
): Promise<AttemptResult> {
  const { answer, lease, worker, candidate, model, trace } = options
  const { response } = answer
  const complaint = findComplaint(response, request)
  if (complaint !== null) {
    answer.abort()
    return fail('failed', new RouterError('upstream_invalid', complaint))
  }
  const answered = { answer, lease, worker, candidate, model, trace, opened: null }
  const failure = classifyStatus(response.status, config.retry)
  if (failure !== null) {
    const message = `The worker answered with status ${response.status}.`
    return fail(failure, new RouterError('upstream_invalid', message), answered)
  }
  const isGatedStream = options.isGated && mediaType(response.headers) === 'text/event-stream'
  const body = isGatedStream ? response.body : null
  if (body === null) return { answered, failure: null }
  const opened = await waitForFirstEvent(answer, body, createStreamTap(request.streamKind))
  if (opened !== null) return { answered: { ...answered, opened }, failure: null }
  answer.abort()
  return { answered: null, failure: toFailure(afterGate(answer), null) }
}

/** What is wrong with an answer that can't be passed on; null when nothing is. */
function findComplaint({ status, headers }: WorkerAnswer, request: InferenceRequest): string | null {
  if (status < 200 || (status >= 300 && status < 400)) {
    return `The worker answered with status ${status}, which is not passed on.`
  }
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    // Plain was asked for; what the runtime can't undo can be read by nobody here, and the client asked for none of it.
    return 'The worker encoded its answer, though it was asked not to.'
  }
  if (request.wantsStream && status === 200 && mediaType(headers) !== 'text/event-stream') {
    // A client library that asked for events shows an empty success when it gets anything else.
    return 'The worker did not answer a stream request with an event stream.'
  }
  return null
}

/** How an attempt ended whose stream did not get as far as its first event. */
function afterGate(answer: Answer): Exclude<AttemptOutcome, Answer> {
  const cause = answer.interruption()
  if (cause?.kind === 'timeout') return cause
  if (cause?.kind === 'superseded') return { kind: 'superseded' }
  return cause === null ? { kind: 'unreachable', phase: 'maybe_sent', reason: 'no_event' } : { kind: 'aborted' }
}

function fail(failure: FailureClass, error: RouterError, answered: AnsweredAttempt | null = null): AttemptResult {
  return { answered: null, failure: { class: failure, error, answered } }
}

function toFailure(outcome: Exclude<AttemptOutcome, Answer>, bodyFault: RouterError | null): AttemptFailure {
  // The caller's own body broke the attempt, so nothing can be said against the worker.
  if (bodyFault !== null) return { class: 'final', error: bodyFault, answered: null }
  switch (outcome.kind) {
    case 'aborted':
    case 'superseded': {
      const error = new RouterError('client_closed_request', 'The client closed the connection.')
      return { class: 'final', error, answered: null }
    }
    case 'timeout': {
      const error = new RouterError('upstream_timeout', `The worker took longer than the ${outcome.limit} timeout.`)
      // The time of the whole exchange is up for every worker alike.
      return { class: outcome.limit === 'total' ? 'final' : 'maybe_sent', error, answered: null }
    }
    case 'unreachable': {
      const message =
        outcome.phase === 'not_sent'
          ? 'The worker could not be reached.'
          : 'The connection to the worker broke before it answered.'
      return { class: outcome.phase, error: new RouterError('upstream_unreachable', message), answered: null }
    }
  }
}

function noteResult(parts: RouterParts, workerId: string, outcome: AttemptOutcome, { failure }: AttemptResult): void {
  const { mirror } = parts
  if (outcome.kind === 'answer') {
    mirror.noteAnswer(workerId)
    const waitMs = failure?.class === 'declined' ? retryAfterMs(outcome.response.headers, parts.platform.now()) : 0
    if (waitMs > 0) mirror.noteBusy(workerId, waitMs)
    return
  }
  const isConnectionLost = failure?.class === 'not_sent' || failure?.class === 'maybe_sent'
  if (outcome.kind === 'unreachable' && isConnectionLost) mirror.noteFailure(workerId, outcome.phase)
}

function closeLine(line: AttemptLine, outcome: AttemptOutcome, { failure }: AttemptResult, ms: number): void {
  line.ms = Math.max(0, ms)
  if (outcome.kind === 'answer') {
    line.status = outcome.response.status
    const isPassable = failure === null || failure.answered !== null
    const cause = outcome.interruption()
    line.outcome = isPassable ? 'answered' : cause === null ? 'invalid' : END_BY_CAUSE[cause.kind]
    line.reason = isPassable ? null : cause?.kind === 'timeout' ? cause.limit : (failure?.error.code ?? null)
    return
  }
  line.outcome = outcome.kind
  line.reason = failure?.class === 'final' && outcome.kind === 'unreachable' ? failure.error.code : reasonOf(outcome)
}

/** How an attempt ended that was cut short from this side before its stream began. */
const END_BY_CAUSE = {
  timeout: 'timeout',
  client_gone: 'aborted',
  superseded: 'superseded',
} as const satisfies Record<Interruption['kind'], AttemptEnd>

function reasonOf(outcome: Exclude<AttemptOutcome, Answer>): string | null {
  if (outcome.kind === 'timeout') return outcome.limit
  return outcome.kind === 'unreachable' ? outcome.reason : null
}
