// Which spans a request leaves, and what they say of it. Nothing here runs for a request that is not traced, but for the
// question whether it is. No text of a caller, a worker or a hook is in any span.

import type { TraceConfig } from '../config/config.ts'
import type { ExchangeOutcome } from '../record/lifecycle.ts'
import { type BeginOptions, type EndedSpan, RequestTrace, type Span } from '../tracing/request-trace.ts'
import type { Decision } from '../routing/decide.ts'
import { isDrawn } from '../tracing/sampling.ts'
import { SPAN_WORKER_ATTEMPT, SPAN_WORKER_FORWARD } from '../tracing/span-names.ts'
import { readTraceparent } from '../tracing/trace-context.ts'
import { drawBits, toTraceId } from '../tracing/trace-ids.ts'
import { UnsampledTrace } from '../tracing/unsampled-trace.ts'
import type { AttemptLine, Exchange } from './exchange.ts'
import type { RouterParts } from './router-parts.ts'
import { shownWorker } from './routing-headers.ts'

/** Where ended spans go. */
export interface SpanSink {
  /** `beside` keeps the runtime alive for their way out. */
  add(spans: readonly EndedSpan[], beside: (task: Promise<unknown>) => void): void
  counts(): SpanCounts
  /** Sends what is left, within a time limit. Never rejects. */
  close(): Promise<void>
}

export interface SpanCounts {
  readonly sent: number
  /** Those that there was no room for, or that nobody took. */
  readonly dropped: number
}

/** Of one request: with spans, or without any. */
export type Tracing = RequestTrace | UnsampledTrace

/**
 * What tracing has to do with one request. Null for nothing at all: its path is to have no traces, or its caller does not
 * sample it, and then the caller's own context passes as it came.
 */
export function openTrace(
  { excludedPaths, samplingRatio, exportsErrors }: TraceConfig,
  request: Request,
  { now, random }: Pick<RouterParts['platform'], 'now' | 'random'>,
): Tracing | null {
  if (excludedPaths.has(pathOf(request.url))) return null
  const given = request.headers.get('traceparent')
  const parent = given === null ? null : readTraceparent(given)
  const open = { now, random }
  if (parent !== null) {
    const { traceId, spanId, isSampled } = parent
    if (!isSampled && !exportsErrors) return null
    const traceState = request.headers.get('tracestate')
    return new RequestTrace({ ...open, traceId, parentSpanId: spanId, traceState, isSampled }, request.method)
  }
  const draw = drawBits(random)
  const isSampled = isDrawn(draw, samplingRatio)
  if (!isSampled && !exportsErrors) return new UnsampledTrace(random, draw)
  const traceId = toTraceId(draw, random)
  return new RequestTrace({ ...open, traceId, parentSpanId: null, traceState: null, isSampled }, request.method)
}

/** By its place: building a URL costs more than all the rest of a request that is not sampled. */
function pathOf(url: string): string {
  const from = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', from)
  return from === -1 ? '/' : url.slice(from, query === -1 ? undefined : query)
}

/** Ends the request's spans, says how it went, and hands them on. */
export function endTrace(parts: RouterParts, exchange: Exchange, trace: RequestTrace, end: ExchangeOutcome): void {
  const error = errorOf(end)
  const { root } = trace
  if (!trace.isSampled && (error === null || exchange.config.traces?.exportsErrors !== true)) return
  describeRequest(exchange, root, { ...end, error, endMs: parts.platform.now() })
  parts.spans?.add(trace.end(error), exchange.context.waitUntil)
}

/** The conventions leave a server's span unset for 4xx: the caller's fault is no failure of the server. */
function errorOf({ status, errorCode, streamEnd = null }: ExchangeOutcome): string | null {
  if (streamEnd !== null && streamEnd !== 'complete' && streamEnd !== 'client_aborted') return streamEnd
  return status >= 500 ? (errorCode ?? `status ${status}`) : null
}

/** Of OpenTelemetry's conventions for generative AI, by route. */
const OPERATIONS: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'chat',
  '/v1/messages': 'chat',
  '/v1/responses': 'chat',
  '/v1/completions': 'text_completion',
  '/v1/embeddings': 'embeddings',
}

interface DescribedEnd extends ExchangeOutcome {
  readonly error: string | null
  readonly endMs: number
}

function describeRequest(
  exchange: Exchange,
  root: Span,
  { status, errorCode, streamEnd, error, endMs }: DescribedEnd,
): void {
  const { route, usage, trace, firstTokenAtMs } = exchange
  // An answer that was read whole goes on at its end.
  const firstByteAtMs = exchange.firstByteAtMs ?? (streamEnd === 'complete' ? endMs : null)
  // It is called by its method until the route is known.
  const method = root.name
  if (route !== null) root.rename(`${method} ${route}`)
  root.set({
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status === 0 ? null : status,
    'error.type': errorCode ?? (status >= 500 ? String(status) : error),
    'gen_ai.operation.name': OPERATIONS[route ?? ''],
    'gen_ai.request.model': exchange.originalModel,
    'gen_ai.response.model': exchange.model,
    'gen_ai.usage.input_tokens': usage?.promptTokens,
    'gen_ai.usage.output_tokens': usage?.completionTokens,
    'vllm.router.request_id': exchange.requestId,
    'vllm.router.decision_id': exchange.decisionId,
    'vllm.router.config_hash': exchange.config.hash,
    'vllm.router.method': exchange.method,
    'vllm.router.policy': trace?.decision.policy,
    'vllm.router.worker': exchange.worker === null ? null : shownWorker(exchange.config, exchange.worker.config.id),
    'vllm.router.attempts': exchange.attempts.length,
    'vllm.router.stream_end': streamEnd,
    'vllm.router.cached_tokens': usage?.cachedTokens,
    'vllm.router.tenant': exchange.tenant?.name,
  })
  if (firstByteAtMs !== null) root.note('first_byte', firstByteAtMs)
  if (firstTokenAtMs !== null) root.note('first_token', firstTokenAtMs)
}

/** A span of the router's own work, below the server's or another; null for a request that leaves none. */
export function beginStage(
  { tracing }: Pick<Exchange, 'tracing'>,
  name: string,
  { below, ...options }: BeginOptions & { readonly below?: Span } = {},
): Span | null {
  return tracing?.isRecorded === true ? tracing.begin(below ?? tracing.root, name, options) : null
}

/** What was decided; ends the span. */
export function describeDecision(span: Span, { config }: Exchange, decision: Decision): void {
  const { chosen, method, policy, candidates } = decision
  span.set({
    'vllm.router.policy': policy,
    'vllm.router.method': method,
    'vllm.router.worker': chosen === null ? null : shownWorker(config, chosen.workerId),
    'vllm.router.candidates': candidates.length,
    'vllm.router.vetoed': candidates.filter(({ veto }) => veto !== null).length,
  })
  span.end()
}

/** The span that all attempts are below; it lasts as long as the answer. */
export function beginForward({ tracing, route, model }: Exchange): Span | null {
  if (tracing?.isRecorded !== true) return null
  const span = tracing.begin(tracing.root, SPAN_WORKER_FORWARD)
  span.set({ 'routing.route': route, 'routing.model': model })
  return span
}

/** The span of one attempt, to be continued by its worker. */
export function beginAttempt(
  { tracing, config, attempts }: Exchange,
  forward: Span | null,
  { workerId }: Pick<AttemptLine, 'workerId'>,
): Span | null {
  if (tracing?.isRecorded !== true || forward === null) return null
  const span = tracing.begin(forward, SPAN_WORKER_ATTEMPT, { kind: 'client' })
  span.set({ 'vllm.router.attempt': attempts.length, 'server.address': shownWorker(config, workerId) })
  return span
}

/**
 * What came of an attempt, for its own span and for that of all attempts, which is what the last of them was, but for one
 * that another has overtaken. One that answered lasts as long as its answer: it ends with its request, or when it is dropped.
 */
export function describeAttempt(span: Span, forward: Span | null, exchange: Exchange, line: AttemptLine): void {
  const { config, trace, method } = exchange
  const known = {
    'routing.worker': shownWorker(config, line.workerId),
    'routing.method': method,
    'routing.policy': trace?.decision.policy,
    'http.response.status_code': line.status,
    'worker.duration_ms': line.ms,
  }
  const error = errorOfAttempt(line)
  for (const each of line.outcome === 'superseded' ? [span] : [span, forward]) {
    each?.set(known)
    each?.fail(error)
  }
  span.set({ 'error.type': error === null ? null : line.outcome === 'answered' ? String(line.status) : error })
  if (line.outcome !== 'answered') span.end()
}

/** Unlike the server's, a client's span has failed with a 4xx, too, by the conventions. */
function errorOfAttempt({ outcome, reason, status }: AttemptLine): string | null {
  if (outcome !== 'answered') return reason ?? outcome
  return status !== null && status >= 400 ? `status ${status}` : null
}
