// From an exchange to its decision record: one per request that passed authentication, whatever became of it. The format
// is src/record/.

import type { MeterName } from '../limits/meters.ts'
import { toRecordedCandidates } from '../record/candidates.ts'
import { type ExchangeOutcome, lifecycleOf } from '../record/lifecycle.ts'
import type { OpenRecord } from '../record/open-record.ts'
import { type DecisionRecord, RECORD_SCHEMA_VERSION } from '../record/schema.ts'
import type { LmcacheFact, PrefixFact } from '../routing/cache-facts.ts'
import type { Split } from '../routing/model-rules.ts'
import type { AttemptLine, Exchange } from './exchange.ts'
import { prefixHashesOf } from './prefix-hashes.ts'

/** Tokens of a request as the worker counted them. */
export interface Usage {
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  readonly totalTokens: number | null
  readonly cachedTokens: number | null
}

/** A slot is what counts one of `max_concurrent`; records speak of what is limited. */
const LIMIT_WORDS: Readonly<Record<MeterName, NonNullable<DecisionRecord['limit']>>> = {
  requests: 'requests',
  slots: 'concurrency',
  tokens: 'tokens',
}

export interface ExchangeEnd extends ExchangeOutcome {
  readonly atMs: number
  /** Hash of the view document of the last decision; null when nothing was decided. */
  readonly viewHash: string | null
}

/** What can be said of an exchange that has not ended. `decisionId` must be set: only authenticated requests leave one. */
export function toOpenRecord(exchange: Exchange, decisionId: string): OpenRecord {
  return {
    schema_version: RECORD_SCHEMA_VERSION,
    decision_id: decisionId,
    request_id: exchange.requestId,
    timestamp: new Date(exchange.receivedAtMs).toISOString(),
    route: exchange.route ?? 'unknown',
    original_model: exchange.originalModel ?? undefined,
    model: exchange.model ?? undefined,
    method: exchange.method,
    worker: exchange.worker?.id,
    tenant: exchange.tenant?.name,
    streaming: exchange.wantsStream ? (true as const) : undefined,
    lifecycle_state: 'in_progress',
    config_hash: exchange.config.hash,
    attempts: exchange.attempts.map(toRecordedAttempt),
  }
}

/** The record of an exchange that has ended. `decisionId` must be set: only authenticated requests leave one. */
export function toRecord(exchange: Exchange, decisionId: string, end: ExchangeEnd): DecisionRecord {
  const { trace, usage, promptBody } = exchange
  const listed = trace === null ? null : toRecordedCandidates(trace.decision, trace.view)
  return {
    schema_version: RECORD_SCHEMA_VERSION,
    decision_id: decisionId,
    request_id: exchange.requestId,
    timestamp: new Date(end.atMs).toISOString(),
    route: exchange.route ?? 'unknown',
    original_model: exchange.originalModel ?? undefined,
    model: exchange.model ?? undefined,
    rule: exchange.rule ?? undefined,
    split: exchange.split === null ? undefined : toRecordedSplit(exchange.split),
    method: exchange.method,
    policy: trace?.decision.policy ?? undefined,
    worker: exchange.worker?.id,
    cache_status: exchange.isCacheable ? 'bypass' : undefined,
    hooks_ran: exchange.hooksRan.length === 0 ? undefined : [...exchange.hooksRan],
    tenant: exchange.tenant?.name,
    session_id: trace?.input.affinity?.hash,
    status: end.status,
    lifecycle_state: lifecycleOf(end),
    duration_ms: Math.max(0, end.atMs - exchange.receivedAtMs),
    ttft_ms: exchange.firstByteAtMs === null ? undefined : Math.max(0, exchange.firstByteAtMs - exchange.receivedAtMs),
    queue_ms: exchange.queuedMs ?? undefined,
    stream_end: end.streamEnd ?? undefined,
    streaming: exchange.wantsStream ? (true as const) : undefined,
    error: end.errorCode ?? undefined,
    limit: exchange.limits?.kind === 'refused' ? LIMIT_WORDS[exchange.limits.refusal.meter] : undefined,
    retry_refused: exchange.isRetryRefused ? (true as const) : undefined,
    config_hash: exchange.config.hash,
    seed: trace?.seed,
    view: trace === null ? undefined : { source: trace.view.source, age_ms: trace.view.ageMs },
    affinity: trace?.input.affinity ?? undefined,
    ticket: trace?.input.ticket ?? undefined,
    prefix: toRecordedPrefix(trace?.input.prefix ?? null),
    lmcache: toRecordedLmcache(trace?.input.lmcache ?? null),
    steps: exchange.steps.length === 0 ? undefined : [...exchange.steps],
    pinned: trace?.input.pinnedWorkerId ?? undefined,
    tried: trace === null || trace.input.tried.length === 0 ? undefined : trace.input.tried,
    panic: trace?.decision.isPanic === true ? (true as const) : undefined,
    candidates: listed?.candidates,
    candidates_omitted: listed?.candidates_omitted,
    others: listed?.others,
    view_hash: end.viewHash ?? undefined,
    attempts: exchange.attempts.map(toRecordedAttempt),
    usage: usage === null ? undefined : toRecordedUsage(usage),
    cached_tokens: typeof usage?.cachedTokens === 'number' ? { actual: usage.cachedTokens } : undefined,
    prefix_hashes:
      promptBody === null ? undefined : (prefixHashesOf({ json: promptBody, model: exchange.model }) ?? undefined),
    request_text: exchange.requestText ?? undefined,
    request_bytes: exchange.requestBytes ?? undefined,
  }
}

function toRecordedSplit({ shares, session }: Split): NonNullable<DecisionRecord['split']> {
  const weights = Object.fromEntries(shares.map(({ model, weight }) => [model, weight]))
  return { weights, affinity: session ?? undefined }
}

function toRecordedAttempt({ worker, outcome, reason, status, ms }: AttemptLine): DecisionRecord['attempts'][number] {
  return { worker, outcome, reason: reason ?? undefined, status: status ?? undefined, ms }
}

function toRecordedPrefix(fact: PrefixFact | null): DecisionRecord['prefix'] {
  if (fact === null) return undefined
  const { promptTokens, prefillMsPerToken, cachedTokens, backlogTokens } = fact
  return {
    prompt_tokens: promptTokens,
    prefill_ms_per_token: prefillMsPerToken,
    cached: unlessEmpty(cachedTokens),
    backlog: unlessEmpty(backlogTokens),
  }
}

function toRecordedLmcache(fact: LmcacheFact | null): DecisionRecord['lmcache'] {
  if (fact === null) return undefined
  return {
    prefill_ms_per_token: fact.prefillMsPerToken,
    prompt_tokens: fact.promptTokens ?? undefined,
    matched: fact.matchedTokens ?? undefined,
    chunks: fact.chunkCounts ?? undefined,
  }
}

function unlessEmpty(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> | undefined {
  return Object.keys(counts).length === 0 ? undefined : counts
}

function toRecordedUsage({ promptTokens, completionTokens, totalTokens }: Usage): NonNullable<DecisionRecord['usage']> {
  return {
    prompt_tokens: promptTokens ?? undefined,
    completion_tokens: completionTokens ?? undefined,
    total_tokens: totalTokens ?? undefined,
  }
}
