// One thing that a request waits for before its decision: its line in the record and its span, which say the same of it.

import type { AttributeValue, Span, SpanKind } from '../tracing/request-trace.ts'
import { SPAN_EMBEDDING_FETCH, SPAN_LMCACHE_LOOKUP, SPAN_LMCACHE_TOKENIZE } from '../tracing/span-names.ts'
import { NO_TRACE, type TraceHeaders, withState } from '../tracing/trace-headers.ts'
import type { Exchange } from './exchange.ts'
import { beginStage } from './tracing.ts'

/** Steps that have a span of their own. */
const SPANS = {
  tokenize: [SPAN_LMCACHE_TOKENIZE, 'client'],
  lookup: [SPAN_LMCACHE_LOOKUP, 'client'],
  embedding: [SPAN_EMBEDDING_FETCH, 'client'],
} as const satisfies Readonly<Record<string, readonly [name: string, kind: SpanKind]>>

export type SpannedStep = keyof typeof SPANS

/** Outcomes that stand for a service that did not do its part. */
const FAILURES: ReadonlySet<string> = new Set([
  'timeout',
  'unreachable',
  'refused',
  'bad_answer',
  'breaker_open',
  'over_budget',
])

/** What of an exchange steps are noted in. */
export type SteppedExchange = Pick<Exchange, 'steps' | 'tracing' | 'callerTrace'>

export interface OpenStep {
  /** For what is done on its way; null when the request is not traced. */
  readonly span: Span | null
  /** For whoever is asked. */
  readonly trace: TraceHeaders
  /** `ms` is how long it took where that is known better. */
  note(outcome: string, ms?: number): void
}

export interface StepOptions {
  readonly now: () => number
  /** The span it is a part of; null and absent for the request's own. */
  readonly below?: Span | null | undefined
}

/** Begins now; what it comes to is noted once. */
export function beginStep(exchange: SteppedExchange, step: SpannedStep, { now, below }: StepOptions): OpenStep {
  const startedAtMs = now()
  const [name, kind] = SPANS[step]
  const span = beginStage(exchange, name, { kind, startMs: startedAtMs, ...(below ? { below } : {}) })
  return {
    span,
    get trace() {
      return traceFor(exchange, span)
    },
    note(outcome, ms = Math.max(0, now() - startedAtMs)) {
      exchange.steps.push({ step, outcome, ms })
      endSpan(span, outcome)
    },
  }
}

/** What a call carries that is made on behalf of a span; with tracing off, what the caller sent. */
export function traceFor({ tracing, callerTrace }: SteppedExchange, span: Span | null): TraceHeaders {
  if (tracing === null) return callerTrace?.() ?? NO_TRACE
  return withState(tracing.traceparent(span), tracing.traceState)
}

/** Ends a span of a stage by what came of it. */
export function endSpan(
  span: Span | null,
  outcome: string,
  attributes: Readonly<Record<string, AttributeValue | null | undefined>> = {},
): void {
  if (span === null) return
  span.set({ 'vllm.router.outcome': outcome, ...attributes })
  if (FAILURES.has(outcome)) span.fail(outcome)
  span.end()
}
