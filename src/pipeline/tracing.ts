// Which spans a request leaves, and what they say of it. Nothing here runs for a request that is not traced, but for the
// question whether it is. No text of a caller, a worker or a hook is in any span.

import type { TraceConfig } from '../config/config.ts'
import type { ExchangeOutcome } from '../record/lifecycle.ts'
import { type BeginOptions, type EndedSpan, RequestTrace, type Span } from '../tracing/request-trace.ts'
import type { Decision } from '../routing/decide.ts'
import { isSampled } from '../tracing/sampling.ts'
import { SPAN_WORKER_ATTEMPT, SPAN_WORKER_FORWARD } from '../tracing/span-names.ts'
import { readTraceparent } from '../tracing/trace-context.ts'
import type { AttemptLine, Exchange } from './exchange.ts'
import type { RouterParts } from './router-parts.ts'
import { shownWorker } from './routing-headers.ts'

/** Where ended spans go. */
export interface SpanSink {
  /** `beside` keeps the runtime alive for their way out. */
  add(spans: readonly EndedSpan[], beside: (task: Promise<unknown>) => void): void
  counts(): SpanCounts
}

export interface SpanCounts {
  readonly sent: number
  /** Those that there was no room for, or that nobody took. */
  readonly dropped: number
}

type Clock = Pick<RouterParts['platform'], 'now' | 'randomId'>

/** The trace of one request; null for a path that is to have none. */
export function openTrace(config: TraceConfig, request: Request, { now, randomId }: Clock): RequestTrace | null {
  if (config.excludedPaths.has(pathOf(request.url))) return null
  const parent = readTraceparent(request.headers.get('traceparent') ?? '')
  const traceId = parent?.traceId ?? randomId()
  const sampled = isSampled(traceId, parent, config.samplingRatio)
  return new RequestTrace(
    {
      now,
      randomId,
      traceId,
      parentSpanId: parent?.spanId ?? null,
      traceState: parent === null ? null : request.headers.get('tracestate'),
      isSampled: sampled,
      isRecorded: sampled || config.exportsErrors,
    },
    request.method,
  )
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
  if (trace.isRecorded) {
    describeRequest(exchange, root, end)
    if (error !== null) root.fail(error)
  }
  const spans = trace.end()
  if (trace.isSampled || (error !== null && exchange.config.traces?.exportsErrors === true)) {
    parts.spans?.add(spans, exchange.context.waitUntil)
  }
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

function describeRequest(exchange: Exchange, root: Span, { status, errorCode, streamEnd }: ExchangeOutcome): void {
  const { route, usage, trace, firstByteAtMs, wantsStream } = exchange
  // It is called by its method until the route is known.
  const method = root.name
  if (route !== null) root.rename(`${method} ${route}`)
  root.set({
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status === 0 ? null : status,
    'error.type': errorCode ?? (status >= 500 ? String(status) : null),
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
  if (wantsStream && firstByteAtMs !== null) root.note('first_byte', firstByteAtMs)
}

/** A span of the router's own work, below the server's or another; null when the request is not traced. */
export function beginStage(
  { tracing }: Pick<Exchange, 'tracing'>,
  name: string,
  { below, ...options }: BeginOptions & { readonly below?: Span } = {},
): Span | null {
  return tracing === null ? null : tracing.begin(below ?? tracing.root, name, options)
}

/** What was decided; ends the span. */
export function describeDecision(span: Span, { config, tracing }: Exchange, decision: Decision): void {
  if (tracing?.isRecorded !== true) return
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
  if (tracing === null) return null
  const span = tracing.begin(tracing.root, SPAN_WORKER_FORWARD)
  if (tracing.isRecorded) span.set({ 'routing.route': route, 'routing.model': model })
  return span
}

/** The span of one attempt, to be continued by its worker. */
export function beginAttempt({ tracing }: Exchange, forward: Span | null): Span | null {
  if (tracing === null || forward === null) return null
  return tracing.begin(forward, SPAN_WORKER_ATTEMPT, { kind: 'client' })
}

/** What came of an attempt. One that answered lasts as long as its answer, and ends with its request. */
export function describeAttempt(span: Span, exchange: Exchange, line: AttemptLine): void {
  const { config, trace, method, tracing } = exchange
  if (tracing?.isRecorded !== true) return
  span.set({
    'vllm.router.attempt': exchange.attempts.indexOf(line) + 1,
    'server.address': shownWorker(config, line.workerId),
    'routing.worker': shownWorker(config, line.workerId),
    'routing.method': method,
    'routing.policy': trace?.decision.policy,
    'http.response.status_code': line.status,
    'worker.duration_ms': line.ms,
  })
  if (line.outcome !== 'answered') span.fail(line.reason ?? line.outcome)
  else if ((line.status ?? 0) >= 500) span.fail(`status ${line.status}`)
  if (line.outcome !== 'answered') span.end()
}
