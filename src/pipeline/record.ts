// From an exchange to its decision record: one per request that passed authentication, whatever became of it. The format
// is src/record/.

import type { MeterName } from '../limits/meters.ts'
import { toRecordedCandidates } from '../record/candidates.ts'
import { RECORD_SCHEMA_VERSION } from '../record/format.ts'
import { type ExchangeOutcome, lifecycleOf } from '../record/lifecycle.ts'
import type { OpenRecord } from '../record/open-record.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { LmcacheFact, PrefixFact } from '../routing/cache-facts.ts'
import type { Split } from '../routing/model-rules.ts'
import { signalKey, type SignalReading } from '../routing/signals/signal.ts'
import type { ClusterFact } from '../routing/semantic-cluster.ts'
import { type Decided, reasoningOf } from './decided.ts'
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
// eslint-disable-next-line max-lines-per-function -- a record has as many fields, and each is one line
export function toRecord(exchange: Exchange, decisionId: string, end: ExchangeEnd): DecisionRecord {
  const { trace, usage, promptBody, decided } = exchange
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
    // Each field by its name: an object that others are spread into costs more than all the rest of the record.
    decision: decided?.ruled.chosen?.name,
    category: decided?.ruled.category ?? undefined,
    decision_confidence: decided?.ruled.chosen?.confidence,
    reasoning_mode: decided === null ? undefined : (reasoningOf(decided, exchange.model) ?? undefined),
    signals: decided === null ? undefined : toMatchedNames(decided),
    signal_readings: decided === null ? undefined : toRecordedReadings(decided),
    method: exchange.method,
    policy: trace?.decision.policy ?? undefined,
    cluster: trace?.decision.cluster,
    worker: exchange.worker?.id,
    cache_status: exchange.isCacheable ? (exchange.cache?.status ?? 'bypass') : undefined,
    cache_key: exchange.cache?.key ?? undefined,
    cache_similarity: exchange.cache?.similarity ?? undefined,
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
    clusters: toRecordedClusters(trace?.input.cluster ?? null),
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
    cached_tokens: toCachedTokens(exchange),
    prefix_hashes:
      promptBody === null ? undefined : (prefixHashesOf({ json: promptBody, model: exchange.model }) ?? undefined),
    request_text: exchange.requestText ?? undefined,
    request_bytes: exchange.requestBytes ?? undefined,
  }
}

function toRecordedReadings({ readings, digests }: Decided): NonNullable<DecisionRecord['signal_readings']> {
  return Object.fromEntries(readings.map((reading) => [signalKey(reading), toRecordedReading(reading, digests)]))
}

/** By family; those of which none matched are there too, so that a reader need not ask. */
function toMatchedNames({ readings }: Decided): NonNullable<DecisionRecord['signals']> {
  const names: Record<string, string[]> = {}
  for (const { family, name, outcome } of readings) {
    const matched = (names[family] ??= [])
    if (outcome.kind === 'matched') matched.push(name)
  }
  return names
}

function toRecordedReading(
  reading: SignalReading,
  digests: Readonly<Record<string, string>>,
): NonNullable<DecisionRecord['signal_readings']>[string] {
  const { outcome } = reading
  const confidence = outcome.kind === 'matched' && outcome.confidence !== 1 ? outcome.confidence : undefined
  return { is: outcome.kind, rule: digests[signalKey(reading)], confidence, because: outcome.because }
}

function toRecordedSplit({ shares, session }: Split): NonNullable<DecisionRecord['split']> {
  const weights = Object.fromEntries(shares.map(({ model, weight }) => [model, weight]))
  return { weights, affinity: session ?? undefined }
}

function toRecordedAttempt({ worker, outcome, reason, status, ms }: AttemptLine): DecisionRecord['attempts'][number] {
  return { worker, outcome, reason: reason ?? undefined, status: status ?? undefined, ms }
}

/** Of the attempt that was passed on. */
function toCachedTokens({ trace, usage }: Exchange): DecisionRecord['cached_tokens'] {
  const { chosen } = trace?.decision ?? { chosen: null }
  const prefix = trace?.input.prefix ?? null
  const predicted = prefix === null || chosen === null ? undefined : (prefix.cachedTokens[chosen.id] ?? 0)
  const actual = usage?.cachedTokens ?? undefined
  return predicted === undefined && actual === undefined ? undefined : { predicted, actual }
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

function toRecordedClusters(fact: ClusterFact | null): DecisionRecord['clusters'] {
  if (fact === null) return undefined
  const ranked = fact.ranked.map(({ name, similarity, workers, labels }) => {
    return { name, similarity, workers: workers.length === 0 ? undefined : workers, labels: labels ?? undefined }
  })
  return { ...fact, ranked }
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
