// Every metric of the router: its name, which is a contract, its type, labels and help. Names of the Rust router are kept
// where they mean the same. docs/metrics.md lists them, and a test compares.

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One line; what it counts, and what its labels are where that is not plain. */
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, rising; the last, infinity, is understood. */
  readonly buckets?: readonly number[]
}

/** From a router's own share of a request up to a long generation, in seconds. */
const DURATION = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240]
/** Time to a first token, in seconds: cached prompts take milliseconds, queues take minutes. */
const FIRST_TOKEN = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60]
/** Between tokens, in seconds. */
const INTER_TOKEN = [0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5]
/** Calls to services beside the request, in seconds. */
const LOOKUP = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
/** Cosine similarity of texts. */
const SIMILARITY = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1]

const counter = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ type: 'counter', help, labels }) as const
const gauge = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ type: 'gauge', help, labels }) as const
const histogram = <const Labels extends readonly string[]>(
  help: string,
  buckets: readonly number[],
  ...labels: Labels
) => ({ type: 'histogram', help, buckets, labels }) as const

export const METRICS = {
  vllm_router_requests_total: counter('Requests that ended, by class of their status.', 'route', 'model', 'status'),
  vllm_router_refused_requests_total: counter(
    'Requests that ended before it was known whose they were, by error code.',
    'route',
    'error_type',
  ),
  vllm_router_request_duration_seconds: histogram('From arrival to the end of the answer.', DURATION, 'route'),
  vllm_router_request_errors_total: counter(
    'Requests that failed: an error code of the router, worker_4xx or worker_5xx, or how the stream ended.',
    'route',
    'error_type',
  ),
  vllm_router_time_to_first_token_seconds: histogram(
    'From arrival to the first byte of a streamed answer.',
    FIRST_TOKEN,
    'model',
  ),
  vllm_router_inter_token_seconds: histogram(
    'Time between events of a stream, averaged over each stream.',
    INTER_TOKEN,
    'model',
  ),
  vllm_router_generate_duration_seconds: histogram('Duration of requests that succeeded.', DURATION),
  vllm_router_queue_duration_seconds: histogram('How long requests waited for a place in the router.', DURATION),
  vllm_router_answer_ends_total: counter('Bodies of answers, by how they ended.', 'route', 'end'),
  vllm_router_tokens_total: counter('Tokens as workers counted them: prompt, completion, cached.', 'model', 'kind'),

  vllm_router_worker_requests_total: counter('Attempts at workers.', 'route', 'worker', 'routing'),
  vllm_router_worker_request_duration_seconds: histogram('How long attempts took to be answered.', DURATION, 'worker'),
  vllm_router_processed_requests_total: counter('Requests that a worker answered.', 'worker'),
  vllm_router_policy_decisions_total: counter('Decisions, by who made them and who was chosen.', 'policy', 'worker'),
  vllm_router_cb_outcomes_total: counter('Attempts as breakers see them: success or failure.', 'worker', 'outcome'),
  vllm_router_cb_state_transitions_total: counter(
    'Changes of breakers, as they are heard of: once a second at most.',
    'worker',
    'from',
    'to',
  ),
  vllm_router_retries_total: counter('Attempts after the first.', 'route'),
  vllm_router_retries_exhausted_total: counter('Requests that failed after all they were allowed to try.', 'route'),
  vllm_router_retries_refused_total: counter('Requests whose retry the budget refused.', 'route'),
  vllm_router_cancelled_upstreams_total: counter('Requests to workers that were called off.', 'worker'),

  vllm_router_active_workers: gauge('Workers of the configuration.'),
  vllm_router_worker_health: gauge('1 for a worker that takes requests, else 0.', 'worker'),
  vllm_router_worker_availability: gauge('1 for the state a worker is in.', 'worker', 'state'),
  vllm_router_running_requests: gauge('Requests in flight on a worker from here.', 'worker'),
  vllm_router_worker_load: gauge('Requests a worker says it has, running and waiting.', 'worker'),
  vllm_router_cb_state: gauge('Breaker of a worker: 0 closed, 1 open, 2 half open.', 'worker'),
  vllm_router_requests_in_flight: gauge('Requests in flight on all workers from here.'),
  vllm_router_fleet_age_seconds: gauge('Age of what is known of the fleet.'),

  vllm_router_hook_requests_total: counter('Hooks that were asked, by what came of it.', 'hook', 'outcome'),
  vllm_router_lookups_total: counter('Questions to other services before decisions.', 'step', 'outcome'),
  vllm_router_lookup_duration_seconds: histogram('How long those took.', LOOKUP, 'step'),
  vllm_router_embeddings_total: counter(
    'Vectors of requests that were asked for: by outcome, `cached` among them.',
    'outcome',
  ),
  vllm_router_embeddings_errors_total: counter('Those of them that could not be had, by why.', 'error_type'),
  vllm_router_embeddings_duration_seconds: histogram('How long vectors took that a server made.', LOOKUP),
  vllm_router_lmcache_probes_total: counter(
    'Lookups of prompts that workers had just computed: known, unknown or failed.',
    'outcome',
  ),
  vllm_router_lmcache_blind: gauge('1 while LMCache’s control plane does not know what workers hold, else 0.'),
  vllm_router_cache_hits_total: counter('Answers from a response cache: exact or semantic.', 'kind'),
  vllm_router_cache_misses_total: counter('Requests that a response cache did not have.'),
  vllm_router_cache_failures_total: counter(
    'Calls to places that caches keep things in and that did not answer: timeout or error.',
    'backend',
    'why',
  ),
  vllm_router_cache_similarity: histogram('How near the questions were whose answers were given again.', SIMILARITY),
  vllm_router_token_cache_hits_total: counter('Prompts whose token ids a cache had, or the beginning of them.'),
  vllm_router_token_cache_misses_total: counter('Prompts that were tokenised because no cache had their ids.'),
  vllm_router_token_cache_entries: gauge('Prompts whose token ids are in memory here.'),
  vllm_router_tokenize_duration_seconds: histogram(
    'How long token ids took, by where they came from: cache or worker.',
    LOOKUP,
    'source',
  ),
  vllm_router_shared_prefix_hits_total: counter('Prompts whose beginning other routers knew to be somewhere.'),
  vllm_router_shared_prefix_misses_total: counter('Prompts that they knew nothing of, or nothing of use.'),
  vllm_router_shared_prefix_stale_total: counter(
    'Those of them that they knew to be at a worker that takes no requests.',
  ),
  vllm_router_shared_prefix_writes_total: counter('Times that other routers were told where a prompt is.'),
  vllm_router_cluster_requests_total: counter('Attempts within a cluster.', 'cluster', 'worker'),
  vllm_router_cluster_fallback_total: counter('Requests near a cluster that none of its workers could take.', 'route'),
  vllm_router_cluster_similarity: histogram('How near requests were to the nearest cluster.', SIMILARITY),
  vllm_router_prefix_tokens_total: counter(
    'Prompt tokens in workers’ caches: predicted, and actual as they counted.',
    'kind',
  ),

  vllm_router_tenant_requests_total: counter('Requests of a tenant.', 'tenant', 'route'),
  vllm_router_tenant_request_duration_seconds: histogram(
    'From arrival of a tenant’s request to the end of its answer.',
    DURATION,
    'tenant',
    'route',
  ),
  vllm_router_tenant_errors_total: counter('Those of them that failed.', 'tenant', 'route', 'error_type'),
  vllm_router_tenant_rate_limited_total: counter('Those of them that a limit refused.', 'tenant'),
  vllm_router_tenant_tokens_total: counter('Tokens of a tenant: prompt and completion.', 'tenant', 'kind'),

  vllm_router_decision_log_records_total: counter('Decision records that were taken.'),
  vllm_router_decision_log_lost_total: counter('Decision records that were lost.'),
  vllm_router_decision_log_lag_seconds: gauge('How long the oldest record has waited to be written.'),

  vllm_router_spans_sent_total: counter('Spans that a collector took.'),
  vllm_router_spans_dropped_total: counter('Spans that there was no room for, or that no collector took.'),

  vllm_router_metric_pushes_total: counter('Messages of metrics to a collector: taken or failed.', 'outcome'),

  vllm_router_fleet_sync_failures_total: counter('Times that the fleet’s state could not be refreshed.'),
  vllm_router_limit_store_failures_total: counter('Times that the store of limits could not be asked.'),
  vllm_router_key_service_failures_total: counter('Times that a key service gave no answer.', 'service'),
  vllm_router_defects_total: counter('Defects of the router that surfaced.'),
} as const satisfies Readonly<Record<string, MetricDefinition>>

export type MetricName = keyof typeof METRICS

export const ALL_METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[] // its keys, as written above
