// One attempt of a request at one candidate: lease, request, and what its answer or failure means for the next step.

import type { WorkerConfig } from '../config/config.ts'
import type { CandidateView } from '../routing/policy.ts'
import type { Lease } from '../store/fleet-lease.ts'
import type { PromptHold } from '../store/prompt-caches.ts'
import type { Span } from '../tracing/request-trace.ts'
import { toWorkerHeaders } from '../upstream/headers.ts'
import { type AttemptOutcome, sendAttempt } from '../upstream/send.ts'
import { type AnsweredAttempt, type AttemptResult, failed, noteEnd, toFailure } from './attempt-result.ts'
import type { AttemptLine, DecisionTrace, Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { outcomeOfAttempt } from './outcome.ts'
import { readAnswer } from './read-answer.ts'
import type { RequestPrompt } from './prefix-facts.ts'
import type { RouterParts } from './router-parts.ts'
import { beginAttempt, describeAttempt } from './tracing.ts'

export interface AttemptOptions {
  readonly candidate: CandidateView
  readonly worker: WorkerConfig
  readonly model: string | null
  readonly trace: DecisionTrace
  /** Whether a stream counts as answered only with its first event. */
  readonly isGated: boolean
  /** Fires when another attempt has won. */
  readonly superseded: AbortSignal | null
  /** What can be asked where the prompt is cached; null where nobody does. */
  readonly prompt: RequestPrompt | null
  /** What its span is below; null when the request is not traced. */
  readonly forward: Span | null
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

/** Never rejects for what a worker does. The lease is given back unless the result holds an answer. */
export async function attempt(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  options: AttemptOptions,
): Promise<AttemptResult> {
  const { platform, mirror } = parts
  const { candidate, worker, prompt, model, trace } = options
  const held = prompt?.begin(model, candidate.id, trace.input.prefix) ?? null
  const lease = withHeld(mirror.acquire(candidate.id, exchange.context.waitUntil), held)
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
  const span = beginAttempt(exchange, options.forward, line)
  const outcome = await sendAttempt(platform, toAttemptRequest(parts, exchange, request, { ...options, lease, span }))
  const reading = read(parts, request, { ...options, outcome, lease, line, held, span })
  const result = reading instanceof Promise ? await reading : reading
  const endedAtMs = platform.now()
  const word = outcomeOfAttempt({ outcome, failure: result.failure, status: line.status }, endedAtMs)
  if (word !== null) lease.note(word)
  if (!hasPrompt(outcome)) held?.takeBack()
  else if (result.failure === null) prompt?.tellOthers(model, candidate.id, exchange.context.waitUntil)
  if (result.failure?.answered === null) lease.release()
  line.ms = Math.max(0, endedAtMs - startedAtMs)
  if (result.failure === null) line.outcome = 'answered'
  else noteEnd(line, result.failure)
  if (span !== null) describeAttempt(span, options.forward, exchange, line)
  return result
}

/** However an attempt ends its lease is released, and then its prompt waits for nothing. */
function withHeld(lease: Lease, held: PromptHold | null): Lease {
  if (held === null) return lease
  return {
    activity: lease.activity,
    note: (outcome) => lease.note(outcome),
    renew: () => lease.renew(),
    release() {
      held.end()
      lease.release()
    },
  }
}

/** Whether the worker may hold the prompt now: not one that was not reached, broke off or refused the request. */
function hasPrompt(outcome: AttemptOutcome): boolean {
  return outcome.kind === 'answer' ? outcome.response.ok : outcome.kind !== 'unreachable'
}

function read(
  { config }: RouterParts,
  request: InferenceRequest,
  options: AttemptOptions &
    Pick<AnsweredAttempt, 'lease' | 'line' | 'held' | 'span'> & { readonly outcome: AttemptOutcome },
): AttemptResult | Promise<AttemptResult> {
  const { outcome, lease, line, held, span, worker, candidate, model, trace, isGated } = options
  if (outcome.kind !== 'answer') return failed(toFailure(outcome, request.bodyFault()))
  line.status = outcome.response.status
  const given = { worker, candidate, model, trace, lease, line, held, span }
  const answered = { ...given, answer: outcome, whole: null, opened: null }
  return readAnswer(answered, request, { retry: config.retry, isGated })
}

function toAttemptRequest(
  { config }: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  {
    worker,
    candidate,
    model,
    lease,
    superseded,
    trace,
    span,
  }: AttemptOptions & {
    readonly lease: Lease
    readonly span: Span | null
  },
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
      cluster: trace.decision.cluster ?? null,
      changes: exchange.decided?.decision?.plugins.headerMutation ?? null,
      forward: config.forwardHeaders,
      traceparent: exchange.tracing?.traceparent(span) ?? null,
    }),
    body: request.bodyFor(model),
    timeouts: config.timeouts,
    activity: lease.activity,
    clientSignal: request.signal,
    superseded,
    onTick() {
      lease.renew()
      for (const held of exchange.held) held.renew()
    },
  }
}
