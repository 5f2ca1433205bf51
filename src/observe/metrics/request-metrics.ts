// What each request that ends adds to the metrics. Read off its record: what a record does not say, no metric counts.

import type { Config } from '../../config/config.ts'
import type { PipelineEvents } from '../../pipeline/events.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import { shownWorker } from '../../pipeline/routing-headers.ts'
import type { DecisionRecord } from '../../record/schema.ts'
import { statusClass } from '../status-class.ts'
import type { MetricStore } from './metric-store.ts'

/** The label of what is not known to the configuration or the fleet: anybody may ask for any name. */
const OTHER = 'other'

/** Routing words of the Rust router. */
const ROUTING_WORDS: Readonly<Record<string, string>> = { 'lmcache-prefix': 'lmcache_prefix', cluster: 'cluster' }

/** `knowsModel` bounds the label of models. */
export function createRequestMetrics(
  store: MetricStore,
  knowsModel: (model: string) => boolean,
): Omit<PipelineEvents, 'recordOpened' | 'workerChanged'> {
  return {
    recordClosed(record, _view, exchange) {
      const labels = labelsOf(record, exchange, knowsModel)
      addRequest(store, record, labels)
      addAttempts(store, record, labels)
      addTokens(store, record, labels)
      addQuestions(store, record, exchange.config)
      addCluster(store, record, labels)
      if (exchange.hasSpentTries && labels.error !== null)
        store.add('vllm_router_retries_exhausted_total', [labels.route])
    },
    strangerClosed: ({ route }, { status, errorCode }) =>
      store.add('vllm_router_refused_requests_total', [route ?? OTHER, errorCode ?? `status_${status}`]),
    fleetSyncFailed: () => store.add('vllm_router_fleet_sync_failures_total', []),
    limitStoreFailed: () => store.add('vllm_router_limit_store_failures_total', []),
    storeRecovered() {}, // The log says so.
    exporterChanged() {}, // Counted by what is sent and dropped.
    cacheFailed: ({ backend, why }) => store.add('vllm_router_cache_failures_total', [backend, why]),
    cacheRecovered() {}, // The log says so.
    hookFailed() {}, // The record says so, with how it ended.
    keyServiceFailed: ({ service }) => store.add('vllm_router_key_service_failures_total', [String(service)]),
    lmcacheFailed() {}, // Steps of records are counted.
    lmcacheProbed: (outcome) => store.add('vllm_router_lmcache_probes_total', [outcome]),
    lmcacheSightChanged() {}, // A state, which is read off when somebody asks.
    lmcacheStranger() {}, // The log says which; steps of records say `unmapped`.
    referencesChanged() {}, // A state, which /admin/stats shows.
    defect: () => store.add('vllm_router_defects_total', []),
  }
}

/** What metrics call the things of one request. */
export interface Labels {
  readonly route: string
  readonly model: string
  /** Null for a request that was answered as it should be. */
  readonly error: string | null
  /** Of a candidate; ranks are their worker. */
  worker(candidate: string): string
}

export function labelsOf(record: DecisionRecord, exchange: Exchange, knowsModel: (model: string) => boolean): Labels {
  const { route, model = record.original_model } = record
  return {
    route,
    model: model === undefined ? '' : knowsModel(model) ? model : OTHER,
    error: errorTypeOf(record),
    worker(candidate) {
      const attempt = exchange.attempts.find((line) => line.worker === candidate)
      return shownWorker(exchange.config, attempt?.workerId ?? exchange.worker?.config.id ?? candidate)
    },
  }
}

function errorTypeOf({ error, status, stream_end: end }: DecisionRecord): string | null {
  if (error !== undefined) return error
  if (status >= 400) return `worker_${Math.floor(status / 100)}xx`
  return end === undefined || end === 'complete' ? null : end
}

function addRequest(store: MetricStore, record: DecisionRecord, { route, model, error }: Labels): void {
  const { status, duration_ms: durationMs, ttft_ms: ttftMs, queue_ms: queueMs, stream_end: end, tenant } = record
  store.add('vllm_router_requests_total', [route, model, statusClass(status)])
  store.observe('vllm_router_request_duration_seconds', [route], durationMs / 1000)
  if (queueMs !== undefined) store.observe('vllm_router_queue_duration_seconds', [], queueMs / 1000)
  // What is looked at on its way, such as for a cache, has a first byte as well.
  if (ttftMs !== undefined && record.streaming === true)
    store.observe('vllm_router_time_to_first_token_seconds', [model], ttftMs / 1000)
  if (end !== undefined) store.add('vllm_router_answer_ends_total', [route, end])
  if (error === null) store.observe('vllm_router_generate_duration_seconds', [], durationMs / 1000)
  else store.add('vllm_router_request_errors_total', [route, error])
  if (tenant === undefined) return
  store.add('vllm_router_tenant_requests_total', [tenant, route])
  store.observe('vllm_router_tenant_request_duration_seconds', [tenant, route], durationMs / 1000)
  if (error !== null) store.add('vllm_router_tenant_errors_total', [tenant, route, error])
  if (record.limit !== undefined) store.add('vllm_router_tenant_rate_limited_total', [tenant])
}

function addAttempts(store: MetricStore, record: DecisionRecord, { route, worker }: Labels): void {
  const { attempts, policy, method, worker: chosen } = record
  const routing = ROUTING_WORDS[method] ?? 'policy'
  for (const { worker: candidate, outcome, status, ms } of attempts) {
    const name = worker(candidate)
    store.add('vllm_router_worker_requests_total', [route, name, routing])
    store.observe('vllm_router_worker_request_duration_seconds', [name], ms / 1000)
    if (outcome === 'aborted' || outcome === 'superseded') store.add('vllm_router_cancelled_upstreams_total', [name])
    else store.add('vllm_router_cb_outcomes_total', [name, isFault(outcome, status) ? 'failure' : 'success'])
  }
  if (attempts.length > 1) store.add('vllm_router_retries_total', [route], attempts.length - 1)
  if (record.retry_refused === true) store.add('vllm_router_retries_refused_total', [route])
  if (chosen === undefined) return
  if (policy !== undefined) store.add('vllm_router_policy_decisions_total', [policy, worker(chosen)])
  if (attempts.at(-1)?.outcome === 'answered') store.add('vllm_router_processed_requests_total', [worker(chosen)])
  if (record.stream_end === 'client_aborted') store.add('vllm_router_cancelled_upstreams_total', [worker(chosen)])
}

function isFault(outcome: string, status: number | undefined): boolean {
  return outcome !== 'answered' || (status ?? 200) >= 500
}

function addTokens(store: MetricStore, record: DecisionRecord, { model }: Labels): void {
  const { usage, cached_tokens: cached, tenant } = record
  const { prompt_tokens: prompt = 0, completion_tokens: completion = 0 } = usage ?? {}
  addTokensOf('prompt', prompt)
  addTokensOf('completion', completion)
  function addTokensOf(kind: 'prompt' | 'completion', count: number): void {
    if (count === 0) return
    store.add('vllm_router_tokens_total', [model, kind], count)
    if (tenant !== undefined) store.add('vllm_router_tenant_tokens_total', [tenant, kind], count)
  }
  if ((cached?.actual ?? 0) > 0) store.add('vllm_router_tokens_total', [model, 'cached'], cached?.actual)
  // Only where both are known, so that the two can be compared.
  if (cached?.predicted !== undefined && cached.actual !== undefined) {
    store.add('vllm_router_prefix_tokens_total', ['predicted'], cached.predicted)
    store.add('vllm_router_prefix_tokens_total', ['actual'], cached.actual)
  }
  const { ttft_ms: ttftMs, duration_ms: durationMs } = record
  const between = completion - 1
  if (ttftMs === undefined || record.streaming !== true || between < 1 || record.stream_end !== 'complete') return
  store.observe('vllm_router_inter_token_seconds', [model], (durationMs - ttftMs) / between / 1000)
}

function addQuestions(
  store: MetricStore,
  { hooks_ran: hooks = [], steps = [], cache_status: cache, cache_similarity: similarity }: DecisionRecord,
  config: Pick<Config, 'promptCache'>,
): void {
  for (const entry of hooks) {
    const [hook = '', outcome = 'allowed'] = entry.split(':')
    store.add('vllm_router_hook_requests_total', [hook, outcome])
  }
  for (const { step, outcome, ms } of steps) {
    store.add('vllm_router_lookups_total', [step, outcome])
    store.observe('vllm_router_lookup_duration_seconds', [step], ms / 1000)
    if (step === 'tokenize') addTokenized(store, { outcome, seconds: ms / 1000, hasCache: config.promptCache !== null })
    if (step === 'shared_prefix') addSharedPrefix(store, outcome)
    if (step === 'embedding') addEmbedding(store, outcome, ms / 1000)
  }
  if (similarity !== undefined) store.observe('vllm_router_cache_similarity', [], similarity)
  if (cache === 'exact-hit' || cache === 'semantic-hit') store.add('vllm_router_cache_hits_total', [cache.slice(0, -4)])
  else if (cache === 'miss') store.add('vllm_router_cache_misses_total', [])
}

function addSharedPrefix(store: MetricStore, outcome: string): void {
  if (outcome === 'ok') store.add('vllm_router_shared_prefix_hits_total', [])
  if (outcome === 'miss' || outcome === 'stale') store.add('vllm_router_shared_prefix_misses_total', [])
  if (outcome === 'stale') store.add('vllm_router_shared_prefix_stale_total', [])
}

function addEmbedding(store: MetricStore, outcome: string, seconds: number): void {
  store.add('vllm_router_embeddings_total', [outcome])
  if (outcome === 'ok') store.observe('vllm_router_embeddings_duration_seconds', [], seconds)
  else if (outcome !== 'cached') store.add('vllm_router_embeddings_errors_total', [outcome])
}

interface Tokenized {
  readonly outcome: string
  readonly seconds: number
  readonly hasCache: boolean
}

/** Without a cache nothing is a miss of one. */
function addTokenized(store: MetricStore, { outcome, seconds, hasCache }: Tokenized): void {
  const isCached = outcome === 'cached' || outcome === 'prefix'
  if (!isCached && outcome !== 'ok') return
  store.observe('vllm_router_tokenize_duration_seconds', [isCached ? 'cache' : 'worker'], seconds)
  if (isCached) store.add('vllm_router_token_cache_hits_total', [])
  else if (hasCache) store.add('vllm_router_token_cache_misses_total', [])
}

function addCluster(
  store: MetricStore,
  { cluster, clusters, attempts }: DecisionRecord,
  { route, worker }: Labels,
): void {
  const [nearest] = clusters?.ranked ?? []
  if (clusters === undefined || nearest === undefined) return
  store.observe('vllm_router_cluster_similarity', [], nearest.similarity)
  if (cluster !== undefined) {
    for (const attempt of attempts) store.add('vllm_router_cluster_requests_total', [cluster, worker(attempt.worker)])
  } else if (nearest.similarity >= clusters.threshold) store.add('vllm_router_cluster_fallback_total', [route])
}
