// The attempts of one request: decide, try a worker, and on a failure that allows it decide again without that worker.

import type { WorkerConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import { decide } from '../routing/decide.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { Lease } from '../store/lease-book.ts'
import { toWorkerHeaders } from '../upstream/headers.ts'
import { type Answer, type AttemptOutcome, sendAttempt } from '../upstream/send.ts'
import { deliver } from './deliver.ts'
import type { AttemptEnd, Exchange } from './exchange.ts'
import type { Facts } from './facts.ts'
import type { InferenceRequest } from './inference-request.ts'
import { RETRY_AFTER_SECONDS } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'

/** Workers tried for one request at most, the first included. */
const MAX_ATTEMPTS = 3

/** How often a request that may have reached a worker is sent once more. A blind repeat could run a prompt twice. */
const MAX_REPEATS_OF_MAYBE_SENT = 1

/** Tries workers until one answers. Throws the last failure when nobody is left, or nothing may be tried again. */
export async function runAttempts(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  facts: Facts,
): Promise<Response> {
  const tried: string[] = []
  let repeats = 0
  let lastFailure: AttemptFailure | null = null
  for (;;) {
    const choice = choose(parts, exchange, request, facts, tried)
    // With nobody left to try, the caller learns what went wrong with the last worker, not that there is no other.
    if (choice === null) throw lastFailure?.error ?? noWorker(exchange, request)
    const lease = parts.mirror.acquire(choice.candidate.id)
    const { answer, failure } = await attempt(parts, exchange, request, { ...choice, lease })
    if (answer !== null) return deliver(parts, exchange, request, { answer, lease, workerId: choice.worker.id })
    lastFailure = failure
    tried.push(choice.candidate.id)
    if (failure.phase === 'maybe_sent') repeats += 1
    const mayTryAgain =
      failure.phase !== 'final' &&
      repeats <= MAX_REPEATS_OF_MAYBE_SENT &&
      tried.length < MAX_ATTEMPTS &&
      !(request.body instanceof ReadableStream)
    if (!mayTryAgain) throw failure.error
  }
}

interface Choice {
  readonly candidate: CandidateView
  readonly worker: WorkerConfig
}

/** Decides, and notes the decision in the exchange. Null when no candidate is left. */
function choose(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  facts: Facts,
  tried: readonly string[],
): Choice | null {
  const view = parts.mirror.view()
  const seed = Math.floor(parts.platform.random() * 0x1_0000_0000)
  const input = { model: exchange.model, ...facts, tried: [...tried], pinnedWorkerId: request.pinnedWorkerId }
  const decision = decide(input, { policy: exchange.config.policy }, view, seed)
  const worker = decision.chosen === null ? null : parts.mirror.worker(decision.chosen.workerId)
  // After a failed attempt a decision for nobody explains nothing: keep the one that chose the worker which failed.
  if (decision.chosen !== null || tried.length === 0) {
    exchange.trace = { input, decision, seed, view: { source: view.source, ageMs: view.ageMs } }
    exchange.method = decision.method
  }
  return decision.chosen === null || worker === null ? null : { candidate: decision.chosen, worker }
}

function noWorker(exchange: Exchange, request: InferenceRequest): RouterError {
  const message =
    request.pinnedWorkerId === null
      ? `No worker for ${exchange.model === null ? 'this request' : 'this model'} is available at the moment.`
      : 'The worker that holds this response is not available at the moment.'
  return new RouterError('no_worker', message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
}

interface AttemptFailure {
  /** `final`: nothing to be gained, or lost, by another worker. */
  readonly phase: 'not_sent' | 'maybe_sent' | 'final'
  readonly error: RouterError
}

type AttemptResult = { answer: Answer; failure: null } | { answer: null; failure: AttemptFailure }

async function attempt(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { candidate, worker, lease }: Choice & { readonly lease: Lease },
): Promise<AttemptResult> {
  const { platform, config, mirror } = parts
  const startedAtMs = platform.now()
  const outcome = await sendAttempt(platform, {
    worker,
    target: request.target,
    method: request.method,
    headers: toWorkerHeaders(request.headers, {
      worker,
      rank: candidate.rank,
      requestId: exchange.requestId,
      forward: config.forwardHeaders,
    }),
    body: request.body,
    timeouts: config.timeouts,
    clientSignal: request.signal,
    onTick: () => lease.renew(),
  })
  const line = (end: AttemptEnd, reason: string | null, status: number | null) =>
    exchange.attempts.push({
      worker: candidate.id,
      workerId: worker.id,
      outcome: end,
      reason,
      status,
      ms: Math.max(0, platform.now() - startedAtMs),
    })
  if (outcome.kind === 'answer') {
    line('answered', null, outcome.response.status)
    mirror.noteAnswer(worker.id)
    return { answer: outcome, failure: null }
  }
  lease.release()
  const bodyFault = request.bodyFault()
  if (bodyFault !== null) {
    // The caller's body broke the attempt, so nothing can be said against the worker.
    line('aborted', bodyFault.code, null)
    return { answer: null, failure: { phase: 'final', error: bodyFault } }
  }
  if (outcome.kind === 'unreachable') mirror.noteFailure(worker.id, outcome.phase)
  line(outcome.kind, reasonOf(outcome), null)
  return { answer: null, failure: toFailure(outcome) }
}

function reasonOf(outcome: Exclude<AttemptOutcome, Answer>): string | null {
  if (outcome.kind === 'timeout') return outcome.limit
  return outcome.kind === 'unreachable' ? outcome.reason : null
}

function toFailure(outcome: Exclude<AttemptOutcome, Answer>): AttemptFailure {
  switch (outcome.kind) {
    case 'aborted':
      return {
        phase: 'final',
        error: new RouterError('client_closed_request', 'The client closed the connection.'),
      }
    case 'timeout':
      return {
        phase: 'final',
        error: new RouterError('upstream_timeout', `The worker took longer than the ${outcome.limit} timeout.`),
      }
    case 'unreachable':
      return {
        phase: outcome.phase,
        error: new RouterError(
          'upstream_unreachable',
          outcome.phase === 'not_sent'
            ? 'The worker could not be reached.'
            : 'The connection to the worker broke before it answered.',
        ),
      }
  }
}
