// The decision record: one per request that passed authentication, whatever became of it. Field names are a contract
// (schema version 4, a superset of the Rust router's versions 1 to 3).

import type { ScoredCandidate } from '../routing/decide.ts'
import type { StreamEnd } from '../upstream/relay.ts'
import type { Exchange } from './exchange.ts'

export const RECORD_SCHEMA_VERSION = 4

/** Tokens of a request as the worker counted them. */
export interface Usage {
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  readonly totalTokens: number | null
  readonly cachedTokens: number | null
}

export interface RecordedCandidate {
  readonly worker: string
  readonly score: number | null
  readonly parts?: Readonly<Record<string, number>> | undefined
  readonly veto?: string | undefined
}

export interface RecordedAttempt {
  readonly worker: string
  readonly outcome: string
  readonly reason?: string | undefined
  readonly status?: number | undefined
  readonly ms: number
}

export interface RecordedUsage {
  readonly prompt_tokens?: number | undefined
  readonly completion_tokens?: number | undefined
  readonly total_tokens?: number | undefined
}

/**
 * Undefined fields do not apply or are not known, and are absent from the written line; nothing is guessed. Times are
 * milliseconds.
 */
export interface DecisionRecord {
  readonly schema_version: typeof RECORD_SCHEMA_VERSION
  readonly decision_id: string
  readonly request_id: string
  /** When the exchange ended, RFC 3339 in UTC. */
  readonly timestamp: string
  readonly route: string
  readonly original_model?: string | undefined
  readonly model?: string | undefined
  /** `match` of the model rule that took the request. */
  readonly rule?: string | undefined
  readonly method: string
  readonly policy?: string | undefined
  readonly worker?: string | undefined
  readonly cache_status?: string | undefined
  readonly hooks_ran?: readonly string[] | undefined
  readonly status: number
  readonly duration_ms: number
  readonly ttft_ms?: number | undefined
  readonly stream_end?: StreamEnd | undefined
  readonly error?: string | undefined
  /** Present when the retry budget refused another attempt. */
  readonly retry_refused?: true | undefined
  readonly config_hash: string
  readonly seed?: number | undefined
  readonly view?: { readonly source: string; readonly age_ms: number } | undefined
  readonly affinity?: { readonly source: string; readonly hash: string } | undefined
  readonly ticket?: number | undefined
  readonly candidates?: readonly RecordedCandidate[] | undefined
  readonly attempts: readonly RecordedAttempt[]
  readonly usage?: RecordedUsage | undefined
  readonly cached_tokens?: { readonly actual: number } | undefined
}

export interface ExchangeEnd {
  readonly status: number
  /** How the body ended; null when the answer is the router's own. */
  readonly streamEnd: StreamEnd | null
  /** The router's error code when the answer is its own. */
  readonly errorCode: string | null
  readonly atMs: number
}

/** The record of an exchange that has ended. `decisionId` must be set: only authenticated requests leave one. */
export function toRecord(exchange: Exchange, decisionId: string, end: ExchangeEnd): DecisionRecord {
  const { trace } = exchange
  return {
    schema_version: RECORD_SCHEMA_VERSION,
    decision_id: decisionId,
    request_id: exchange.requestId,
    timestamp: new Date(end.atMs).toISOString(),
    route: exchange.route ?? 'unknown',
    original_model: exchange.originalModel ?? undefined,
    model: exchange.model ?? undefined,
    rule: exchange.rule ?? undefined,
    method: exchange.method,
    policy: trace?.decision.policy ?? undefined,
    worker: exchange.worker?.id,
    cache_status: exchange.isCacheable ? 'bypass' : undefined,
    hooks_ran: exchange.hooksRan.length === 0 ? undefined : [...exchange.hooksRan],
    status: end.status,
    duration_ms: Math.max(0, end.atMs - exchange.receivedAtMs),
    ttft_ms: exchange.firstByteAtMs === null ? undefined : Math.max(0, exchange.firstByteAtMs - exchange.receivedAtMs),
    stream_end: end.streamEnd ?? undefined,
    error: end.errorCode ?? undefined,
    retry_refused: exchange.isRetryRefused ? (true as const) : undefined,
    config_hash: exchange.config.hash,
    seed: trace?.seed,
    view: trace === null ? undefined : { source: trace.view.source, age_ms: trace.view.ageMs },
    affinity: trace?.input.affinity ?? undefined,
    ticket: trace?.input.ticket ?? undefined,
    candidates: trace?.decision.candidates.map(toRecordedCandidate),
    attempts: exchange.attempts.map(({ worker, outcome, reason, status, ms }) => {
      return { worker, outcome, reason: reason ?? undefined, status: status ?? undefined, ms }
    }),
    usage: exchange.usage === null ? undefined : toRecordedUsage(exchange.usage),
    cached_tokens:
      typeof exchange.usage?.cachedTokens === 'number' ? { actual: exchange.usage.cachedTokens } : undefined,
  }
}

function toRecordedCandidate({ id, score, parts, veto }: ScoredCandidate): RecordedCandidate {
  const hasParts = Object.keys(parts).length > 0
  return { worker: id, score, parts: hasParts ? parts : undefined, veto: veto ?? undefined }
}

function toRecordedUsage({ promptTokens, completionTokens, totalTokens }: Usage): RecordedUsage {
  return {
    prompt_tokens: promptTokens ?? undefined,
    completion_tokens: completionTokens ?? undefined,
    total_tokens: totalTokens ?? undefined,
  }
}
