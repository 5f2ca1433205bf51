// The line of a request that has ended: of its record what an operator looks for first. The words are the record's own.

import type { LogLevel } from '../../config/config.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import type { LogEntry } from '../../platform.ts'
import type { ExchangeOutcome } from '../../record/lifecycle.ts'
import type { DecisionRecord } from '../../record/schema.ts'

/** Callers name models, and may make their names as long as bodies. */
const MAX_NAME = 200

const CUT_SHORT: ReadonlySet<string> = new Set(['truncated', 'upstream_error', 'timeout'])

/** Attempts that failed for a reason of the worker's, not because they were called off. */
const FAILED_ATTEMPTS: ReadonlySet<string> = new Set(['timeout', 'unreachable', 'invalid'])

type Judged = Pick<DecisionRecord, 'status' | 'stream_end' | 'attempts' | 'error' | 'lifecycle_state'>

/**
 * `error`: the caller did not get its answer, and not by its own doing. `warn`: it went well only at another try, or was
 * refused for what an operator has set. `info`: all else, callers' own mistakes and callers that left among it.
 */
export function levelOf({ status, stream_end: end, attempts, error, lifecycle_state: state }: Judged): LogLevel {
  if (state === 'aborted') return 'info'
  if (status >= 500 || (end !== undefined && CUT_SHORT.has(end))) return 'error'
  if (status === 429 || error === 'model_not_found') return 'warn'
  const isFailed = (attempt: Judged['attempts'][number]) =>
    FAILED_ATTEMPTS.has(attempt.outcome) || (attempt.outcome === 'answered' && (attempt.status ?? 0) >= 500)
  return attempts.some(isFailed) ? 'warn' : 'info'
}

/** Of requests that went well only a share leaves a line; null unless a share is set. */
export function toRequestEntry(
  record: DecisionRecord,
  { config, worker, tracing }: Pick<Exchange, 'config' | 'worker' | 'tracing'>,
  { level, sampleRatio }: { readonly level: LogLevel; readonly sampleRatio: number | null },
): LogEntry {
  const { usage, cached_tokens: cached } = record
  // Spans of a request that was not sampled are sent when it fails, where that is wanted.
  const isTraced = tracing?.isRecorded === true && (tracing.isSampled || level === 'error')
  return {
    time: record.timestamp,
    level,
    event: 'request',
    status: record.status,
    route: record.route,
    tenant: record.tenant,
    original_model: named(record.original_model),
    model: named(record.model),
    decision: record.decision,
    worker: worker === null ? undefined : shownWorker(config, worker.config.id),
    policy: record.policy,
    method: record.method,
    attempts: record.attempts.length,
    error: record.error,
    limit: record.limit,
    lifecycle_state: record.lifecycle_state,
    stream_end: record.stream_end,
    streaming: record.streaming,
    duration_ms: record.duration_ms,
    ttft_ms: record.ttft_ms,
    queue_ms: record.queue_ms,
    prompt_tokens: usage?.prompt_tokens,
    completion_tokens: usage?.completion_tokens,
    cached_tokens: cached?.actual,
    cache_status: record.cache_status,
    hooks_ran: record.hooks_ran,
    request_id: record.request_id,
    decision_id: record.decision_id,
    trace_id: isTraced ? tracing.traceId : undefined,
    config_hash: record.config_hash,
    sample_ratio: sampleRatio ?? undefined,
  }
}

/** The line of a request that nobody is known to have sent: it has neither decision nor record. */
export function toStrangerFields(
  { requestId, route, receivedAtMs }: Pick<Exchange, 'requestId' | 'route' | 'receivedAtMs'>,
  { status, errorCode }: ExchangeOutcome,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  return {
    status,
    route: route ?? undefined,
    error: errorCode ?? undefined,
    duration_ms: Math.max(0, nowMs - receivedAtMs),
    request_id: requestId,
  }
}

function named(model: string | undefined): string | undefined {
  return model === undefined || model.length <= MAX_NAME ? model : `${model.slice(0, MAX_NAME)}…`
}
