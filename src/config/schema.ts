// The configuration as operators write it: every key of the YAML file, its type and its default.
// Keys of the Rust router that this version does not have are in unavailable.ts.

import * as z from 'zod'
import { adminShape } from './admin-schema.ts'
import { callerShape, overloadShape } from './caller-schema.ts'
import { decisionLogSchema } from './decision-log-schema.ts'
import { decisionsSchema, modelsSchema, strategySchema } from './decision-schema.ts'
import { breakerSchema, healthSchema } from './health-schema.ts'
import { corsOrigin, forwardHeader, passthroughPath } from './http-values.ts'
import { hookSchema } from './hook-schema.ts'
import { modelRuleSchema } from './model-rule-schema.ts'
import { hedgeSchema, retrySchema } from './retry-schema.ts'
import { responseCacheSchema, semanticCacheSchema } from './response-cache-schema.ts'
import { promptCacheSchema } from './prompt-cache-schema.ts'
import { routerReplaySchema } from './router-replay-schema.ts'
import { byteSize, duration, flag, list, seconds, text, wholeNumber } from './scalars.ts'
import { secretString } from './schema-walk.ts'
import { semanticClusterSchema } from './semantic-cluster-schema.ts'
import { logShape } from './log-schema.ts'
import { metricsSchema } from './metrics-schema.ts'
import { sharedPrefixSchema } from './shared-prefix-schema.ts'
import { signalsSchema } from './signal-schema.ts'
import { traceSchema } from './trace-schema.ts'
import { signalServersSchema } from './signal-server-schema.ts'
import { stateSchema } from './state-schema.ts'
import { workerUrl } from './worker-url.ts'

// Regions of Cloudflare's Durable Objects: https://developers.cloudflare.com/durable-objects/reference/data-location/
const LOCATION_HINTS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const

const workerId = z
  .string({ error: 'must be text; put quotes around numbers' })
  .regex(/^[A-Za-z0-9._:/-]{1,128}$/, { error: 'must be 1 to 128 letters, digits or . _ : / - (no @, no space)' })

const workerSchema = z.strictObject(
  {
    /** Shown in headers and records instead of the URL. */
    id: workerId.optional(),
    url: workerUrl(),
    /** Model ids the worker serves; learned from its /v1/models when left out. */
    models: list(text(), '[llama-3.1-8b]')
      .min(1, { error: 'lists no model; remove the line to learn the models from the worker' })
      .nullable()
      .default(null),
    /** Relative capacity. */
    weight: z.number({ error: 'must be a number above 0' }).positive({ error: 'must be above 0' }).default(1),
    labels: z
      .record(z.string(), z.string({ error: 'must be text; put quotes around numbers' }), {
        error: 'must be a map such as {zone: a}',
      })
      .default({}),
    /** Bearer key sent to this worker. */
    api_key: secretString().nullable().default(null),
    /** Service or VPC binding to fetch through, on Workers. */
    binding: text().nullable().default(null),
    /** Engines behind the URL that take `X-data-parallel-rank`. */
    data_parallel_size: wholeNumber(1, 1024).optional(),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'must be a map such as {url: "http://10.0.0.7:8000"}' : undefined,
  },
)

const modeSchema = z.strictObject(
  {
    type: z.literal('regular'),
    worker_urls: list(workerUrl(), '["http://10.0.0.7:8000"]').default([]),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'must be a map such as {type: regular, worker_urls: [...]}' : undefined,
  },
)

const timeoutsSchema = z.strictObject({
  /** Until the connection stands, where the runtime shows it; else it counts within first_byte. */
  connect: duration().default(5_000),
  /** Until the first byte of the answer. */
  first_byte: duration().default(600_000),
  /** Between two bytes of the answer. */
  idle: duration().default(60_000),
  /** For the whole body of a request that is JSON to arrive. */
  request_body: duration().default(60_000),
  /** For the whole exchange. */
  total: duration().optional(),
})

/** Everything a configuration file can say, except the options of its policy. */
export const configSchema = z.strictObject({
  mode: modeSchema.optional(),
  workers: list(workerSchema, '[{url: "http://10.0.0.7:8000"}]').default([]),
  /** Checked against the registry of policies, which a schema can't know; policy-section.ts does it. */
  policy: z.unknown().optional(),
  intra_node_data_parallel_size: wholeNumber(1, 1024).default(1),
  host: text()
    .regex(/^[^/\s]+$/, { error: 'must be a host name or an address such as 0.0.0.0, without http://' })
    .default('127.0.0.1'),
  port: wholeNumber(1, 65_535).default(3001),
  /** Bearer key for every worker that has none of its own. */
  api_key: secretString().nullable().default(null),
  /** Keys by worker URL or id. */
  worker_api_keys: z
    .record(z.string(), secretString(), { error: 'must be a map from worker URL or id to key' })
    .default({}),
  ...callerShape,
  ...overloadShape,
  ...adminShape,
  decision_log: decisionLogSchema.prefault({}),
  router_replay: routerReplaySchema.prefault({}),
  state: stateSchema.prefault({}),
  trace_config: traceSchema.prefault({}),
  metrics: metricsSchema.prefault({}),
  health_check: healthSchema.prefault({}),
  circuit_breaker: breakerSchema.optional(),
  /** The Rust router's switch for no breakers. */
  disable_circuit_breaker: flag().default(false),
  default_model: text().nullable().default(null),
  signals: signalsSchema.optional(),
  decisions: decisionsSchema,
  strategy: strategySchema.optional(),
  /** The same sections in the semantic router's place. */
  routing: z
    .strictObject({
      signals: signalsSchema.optional(),
      decisions: decisionsSchema.removeDefault().optional(),
      strategy: strategySchema.optional(),
    })
    .optional(),
  /** Names that ask the router to choose; `[auto]` where decisions are made on every request anyway. */
  auto_models: list(text(), '[auto]').min(1, { error: 'lists no name' }).optional(),
  decide_on: z.enum(['auto', 'all']).optional(),
  /** What is known of models by their names. */
  models: modelsSchema,
  /** How long a request waits for signals that take a server, all together. */
  signal_timeout_ms: wholeNumber(1, 60_000).default(500),
  pre_routing_hooks: list(hookSchema, '[{name: safety, url: "http://10.0.0.9:9000/check"}]').default([]),
  model_rules: list(modelRuleSchema, '[{match: gpt-4o, rewrite: llama-3.1-70b}]').default([]),
  signal_servers: signalServersSchema.prefault({}),
  semantic_cluster: semanticClusterSchema.optional(),
  cache: responseCacheSchema.optional(),
  semantic_cache: semanticCacheSchema.optional(),
  prompt_cache: promptCacheSchema.optional(),
  shared_prefix_routing: sharedPrefixSchema.optional(),
  retry: retrySchema.prefault({}),
  /** The Rust router's switch for `retry: {max_retries: 0}`. */
  disable_retries: flag().default(false),
  hedge: hedgeSchema.nullable().default(null),
  expose_routing_headers: flag().default(true),
  /** What stands for a worker in headers; `auto` is its id, else its URL. */
  worker_display: z.enum(['auto', 'url', 'id', 'hash']).default('auto'),
  max_payload_size: byteSize().nullable().default(null),
  cors_allowed_origins: z
    .preprocess((value) => (value === '*' ? ['*'] : value), list(corsOrigin(), '["https://app.example.com"], or "*"'))
    .default([]),
  forward_headers: list(forwardHeader(), '[x-team]').default([]),
  passthrough_paths: list(passthroughPath(), '[/load]').default([]),
  timeouts: timeoutsSchema.prefault({}),
  /** The Rust router's name for timeouts.total. */
  request_timeout_secs: seconds().optional(),
  model_refresh_secs: seconds().default(10),
  responses: z.strictObject({ ttl_secs: seconds().default(86_400) }).prefault({}),
  ...logShape,
  shutdown_grace_secs: seconds({ zero: true }).default(30),
  fleet: z
    .strictObject({
      /** Durable Objects that isolates are spread over to read the fleet's state. */
      replicas: wholeNumber(1, 64).default(4),
      /** Durable Objects that owners of stored responses are spread over, and as many for hints where prefixes are. */
      shards: wholeNumber(1, 1_024).default(16),
      /** Durable Objects that divide a tenant's limits evenly among themselves. */
      tenant_shards: wholeNumber(1, 64).default(1),
      /** Groups of eight Durable Objects that keep decision records; an isolate keeps to one. */
      decision_groups: wholeNumber(1, 64).default(1),
      location_hint: z.enum(LOCATION_HINTS).nullable().default(null),
    })
    .prefault({}),
})

/** A checked file: snake_case as in YAML, defaults filled in, durations in milliseconds. */
export type ConfigFile = z.output<typeof configSchema>

/** Used when neither `timeouts.total` nor `request_timeout_secs` says otherwise. */
export const DEFAULT_TOTAL_MS = 1_800_000
