// The decision record: one per request that passed authentication, whatever became of it. Field names are a contract
// (schema version 4, a superset of the Rust router's versions 1 to 3).

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
  readonly parts?: Readonly<Record<string, number>>
  readonly veto?: string
}

/** Absent fields do not apply or are not known; nothing is guessed. Times are milliseconds. */
export interface DecisionRecord {
  readonly schema_version: typeof RECORD_SCHEMA_VERSION
  readonly decision_id: string
  readonly request_id: string
  /** When the exchange ended, RFC 3339 in UTC. */
  readonly timestamp: string
  readonly route: string
  readonly original_model?: string
  readonly model?: string
  /** `match` of the model rule that took the request. */
  readonly rule?: string
  readonly method: string
  readonly policy?: string
  readonly worker?: string
  readonly cache_status?: string
  readonly hooks_ran?: readonly string[]
  readonly status: number
  readonly duration_ms: number
  readonly ttft_ms?: number
  readonly stream_end?: StreamEnd
  readonly error?: string
  /** Present when the retry budget refused another attempt. */
  readonly retry_refused?: true
  readonly config_hash: string
  readonly seed?: number
  readonly view?: { readonly source: string; readonly age_ms: number }
  readonly affinity?: { readonly source: string; readonly hash: string }
  readonly ticket?: number
  readonly candidates?: readonly RecordedCandidate[]
  readonly attempts: readonly { worker: string; outcome: string; reason?: string; status?: number; ms: number }[]
  readonly usage?: { prompt_tokens?: number; completion_tokens?: number; total_tokens?: number }
  readonly cached_tokens?: { readonly actual: number }
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
  return dropAbsent({
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
    candidates: trace?.decision.candidates.map((candidate) =>
      dropAbsent({
        worker: candidate.id,
        score: candidate.score,
        parts: Object.keys(candidate.parts).length === 0 ? undefined : candidate.parts,
        veto: candidate.veto ?? undefined,
      }),
    ),
    attempts: exchange.attempts.map(({ worker, outcome, reason, status, ms }) =>
      dropAbsent({ worker, outcome, reason: reason ?? undefined, status: status ?? undefined, ms }),
    ),
    ...usageFields(exchange.usage),
  })
}

function usageFields(usage: Usage | null): Pick<DecisionRecord, 'usage' | 'cached_tokens'> {
  if (usage === null) return {}
  const counted = dropAbsent({
    prompt_tokens: usage.promptTokens ?? undefined,
    completion_tokens: usage.completionTokens ?? undefined,
    total_tokens: usage.totalTokens ?? undefined,
  })
  return usage.cachedTokens === null
    ? { usage: counted }
    : { usage: counted, cached_tokens: { actual: usage.cachedTokens } }
}

type Present<T> = { [Key in keyof T]: Exclude<T[Key], undefined> }

/** Leaves out fields that are undefined, as JSON does, so that a record in memory equals the one that was written. */
function dropAbsent<T extends object>(fields: T): Present<T> {
  // The loop removes exactly the keys that `Present` says can't be undefined.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>
}
