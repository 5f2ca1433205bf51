// The configuration as the rest of the router sees it: merged, with defaults filled in, times in milliseconds.
// What operators write is in schema.ts; load.ts turns one into the other.

import type { Secret } from '../secret.ts'
import type { AdminScope } from '../access/admin-scopes.ts'
import type { ModelRule } from '../routing/model-rules.ts'
import type { Policy } from '../routing/policy.ts'
import type { CacheRedisConfig } from './cache-redis-schema.ts'
import type { PromptCacheConfig } from './prompt-cache-schema.ts'
import type { DecisionsConfig, ReadySignals, SignalRules } from './decision-config.ts'
import type { ReplayBackend } from './router-replay-schema.ts'
import type { SharedPrefixConfig } from './shared-prefix-schema.ts'

export interface WorkerConfig {
  /** The configured id, else the URL. */
  readonly id: string
  /** True when an operator chose the id; the worker header then shows it instead of the URL. */
  readonly isNamed: boolean
  /** Base URL without a trailing slash, such as `http://10.0.0.7:8000`. */
  readonly url: string
  /** Model ids from the configuration; null to learn them from the worker. */
  readonly models: readonly string[] | null
  readonly weight: number
  readonly labels: Readonly<Record<string, string>>
  /** Bearer key sent to this worker: its own, else `worker_api_keys`, else the global `api_key`. A secret. */
  readonly apiKey: Secret | null
  /** Name of the service or VPC binding to fetch through; null to fetch the URL directly. */
  readonly binding: string | null
  /** Number of data-parallel ranks behind the URL; 1 for a plain engine. */
  readonly dataParallelSize: number
}

/** Milliseconds; null means off, which only an explicit `off` gives. */
export interface Timeouts {
  /** Until the connection stands. Counts within `firstByteMs` where the runtime shows no connect phase. */
  readonly connectMs: number | null
  /** Until the first byte of the answer's body. */
  readonly firstByteMs: number | null
  /** Between two bytes of the answer's body. */
  readonly idleMs: number | null
  /** For the whole exchange with a worker. */
  readonly totalMs: number | null
}

/** One service that is asked about requests before they are routed. */
export interface HookConfig {
  /** Unique; what headers, records and metrics call it. */
  readonly name: string
  readonly url: string
  /** For the whole answer, its body included. */
  readonly timeoutMs: number
  /** What a hook that fails does to the request. */
  readonly onError: 'pass' | 'block'
  readonly onReject: 'block403' | 'block400' | 'pass'
  readonly mayTransform: boolean
  /** Sent along, names in lower case. Values are secrets. */
  readonly headers: Readonly<Record<string, Secret>>
  /** Bearer key sent to the hook. A secret. */
  readonly apiKey: Secret | null
  /** Routes it is asked about, as the catalogue writes them; null for all. */
  readonly routes: readonly string[] | null
  /** Models it is asked about; null for all. */
  readonly models: readonly string[] | null
  readonly send: 'body' | 'metadata'
  /** Runs side by side with its neighbours that say so too. */
  readonly isParallel: boolean
  /** Whether callers are told why it rejected. */
  readonly exposesReason: boolean
}

export interface RetryConfig {
  /** Attempts after the first; 0 for none. */
  readonly maxRetries: number
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  readonly backoffMultiplier: number
  /** Share of a wait that is random, in both directions. */
  readonly jitterFactor: number
  /** Statuses that are tried again on another worker. */
  readonly statuses: readonly number[]
  /** Statuses that are tried again once; none of them is in `statuses`. */
  readonly statusesOnce: readonly number[]
  /** Whether a stream's headers are held back until the worker's first event. */
  readonly gate: 'off' | 'first_event'
  readonly budget: {
    /** Retries per request over the window, at most. */
    readonly ratio: number
    readonly windowMs: number
    /** Retries that any window allows, however few requests it saw. */
    readonly minRetries: number
  }
}

export interface HedgeConfig {
  /** How long the first byte may take before a second worker is asked. */
  readonly afterMs: number
  /** Second attempts per request, at most. */
  readonly maxShare: number
}

/** How the fleet is watched. */
export interface HealthConfig {
  /** Between two rounds of probes. */
  readonly intervalMs: number
  /** For each answer of a probe. */
  readonly timeoutMs: number
  /** Probes failed in a row until a worker counts as gone. */
  readonly failureThreshold: number
  /** Probes answered in a row until one that was gone counts as back. */
  readonly successThreshold: number
  /** Path that is asked, such as `/health`. */
  readonly endpoint: string
  /** How long a worker with running requests may deliver nothing until it counts as hung. */
  readonly stallMs: number
  /** Share of a model's workers looking bad above which those only probes or error rates speak against are used again. */
  readonly panicThreshold: number
  /** Whether workers with an open breaker are used when nobody else is left. */
  readonly usesOpenLast: boolean
}

/** When a worker is left alone because of what requests met there. */
export interface BreakerConfig {
  /** Faults in a row that open it. */
  readonly failureThreshold: number
  /** Successes that close it again. */
  readonly successThreshold: number
  /** How long it stays open before requests are let through to see. */
  readonly openMs: number
  /** The rolling window that the error rate is taken over. */
  readonly windowMs: number
  readonly errorRate: number
  /** Attempts the window must hold before its error rate says anything. */
  readonly minimumVolume: number
  /** Requests let through at a time while it is half open. */
  readonly halfOpenProbes: number
}

/** One caller with a key of its own. */
export interface TenantConfig {
  /** Unique; what records and metrics call it. */
  readonly name: string
  /** SHA-256 of each of its keys, 64 hexadecimal digits. */
  readonly keyDigests: readonly string[]
  /** Requests per second, with bursts of the same size; null for no limit. */
  readonly rateLimitRps: number | null
  /** Requests being answered at a time; null for no limit. */
  readonly maxConcurrent: number | null
  /** Prompt and completion tokens per minute; null for no limit. */
  readonly tokensPerMinute: number | null
  /** Exact names, beginnings with `*` at the end, or `*`. */
  readonly allowedModels: readonly string[]
  readonly isEnabled: boolean
  /** Share of a full router relative to other tenants. */
  readonly weight: number
  readonly metadata: Readonly<Record<string, string>>
}

/** Services that say whether a key is good; any of them may accept it. */
export interface KeyValidationConfig {
  readonly urls: readonly string[]
  readonly timeoutMs: number
  readonly acceptedTtlMs: number
  readonly refusedTtlMs: number
  /** While no service answers: `refuse` with 503, or go on for keys accepted within `staleMs`. */
  readonly onOutage: 'refuse' | 'stale'
  readonly staleMs: number
}

/** What one process, or one isolate on Workers, takes on at a time. */
export interface OverloadConfig {
  readonly maxConcurrent: number
  readonly queueSize: number
  readonly queueTimeoutMs: number
}

/** Where decision records go. */
export interface DecisionLogConfig {
  /** A file; on Workers what the keys of the bucket begin with. Null for memory alone, or keys without a prefix. */
  readonly exportPath: string | null
  /** How long a record may wait in memory, or in its object, until it is written. */
  readonly exportIntervalMs: number
  readonly includesRequestText: boolean
  readonly includesPrefixHashes: boolean
  /** A file that would grow beyond it is put aside. */
  readonly rotateBytes: number
  /** Whether what is written is waited for until it is on the disk: never, each interval's, or each record at once. */
  readonly fsync: 'never' | 'interval' | 'always'
  /** Null to keep everything. */
  readonly retentionMs: number | null
  readonly retentionBytes: number | null
  /** Share of the decisions that are exported, chosen by their ids. */
  readonly exportSample: number
}

/** What Router Replay records of requests, and where it keeps that. */
export interface RouterReplayConfig {
  readonly isEnabled: boolean
  /** Of each decision; the oldest make room. */
  readonly maxRecords: number
  readonly capturesRequestBody: boolean
  readonly capturesResponseBody: boolean
  readonly maxBodyBytes: number
  /** Null to keep records until newer ones take their place. */
  readonly ttlMs: number | null
  /** Whether records are gathered for a moment and written many at once. */
  readonly isAsync: boolean
  readonly store: ReplayStoreConfig
}

export interface ReplayStoreConfig {
  readonly backend: ReplayBackend
  /** Null unless it is the backend; so is `postgres`. */
  readonly redis: ReplayRedisConfig | null
  readonly postgres: ReplayPostgresConfig | null
  readonly r2: { readonly prefix: string }
}

/** One of `url` and `restUrl` is there. All but the prefix may be secrets. */
export interface ReplayRedisConfig {
  readonly url: Secret | null
  readonly restUrl: Secret | null
  readonly token: Secret | null
  readonly keyPrefix: string
  readonly skipsVerification: boolean
}

/** One of `url`, a secret, and `hyperdriveBinding` is there. */
export interface ReplayPostgresConfig {
  readonly url: Secret | null
  readonly hyperdriveBinding: string | null
  readonly schema: string
  readonly table: string
  readonly maxConnections: number
}

/** Where vectors of texts come from: one of `url` and `binding` is there. */
export interface EmbeddingServerConfig {
  readonly url: string | null
  /** Name of a binding that runs models, on Workers. */
  readonly binding: string | null
  readonly model: string
  /** Bearer key sent to the server. A secret. */
  readonly apiKey: Secret | null
}

/** Who sorts texts into labels. */
export interface LabelServerConfig {
  /** A classifier behind /classify, or a chat model that names one of the labels. */
  readonly kind: 'classify' | 'chat'
  readonly url: string
  readonly model: string
  /** Bearer key sent to the server. A secret. */
  readonly apiKey: Secret | null
  readonly timeoutMs: number
  /** Classes of a classifier in its order; null when its answers name all of them. */
  readonly labels: readonly string[] | null
  /** Score from which a label counts. */
  readonly threshold: number
}

/** Who answers for the families of signals that take a server; null for nobody. */
export interface SignalServersConfig {
  readonly embedding: { readonly server: EmbeddingServerConfig; readonly timeoutMs: number } | null
  readonly domain: LabelServerConfig | null
  readonly fact_check: LabelServerConfig | null
  readonly user_feedback: LabelServerConfig | null
  readonly preference: LabelServerConfig | null
}

/** Which workers take what kind of request. */
export interface SemanticClusterConfig {
  readonly server: EmbeddingServerConfig
  /** Cosine from which a cluster is near enough. */
  readonly threshold: number
  /** How long a request waits for its vector. */
  readonly timeoutMs: number
  /** Each has examples. */
  readonly clusters: readonly ClusterConfig[]
  /** Hash of what similarities come from: model, names and examples. */
  readonly basis: string
}

export interface ClusterConfig {
  readonly name: string
  readonly examples: readonly string[]
  /** Ids of workers. */
  readonly workers: readonly string[]
  /** Workers with all of these belong to it too; null for none. */
  readonly labels: Readonly<Record<string, string>> | null
}

/** Answers that are given again to an equal request. */
export interface ResponseCacheConfig {
  readonly backend: 'memory' | 'kv' | 'redis'
  /** Of a process or isolate; so are the bytes. */
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
  readonly maxBodyBytes: number
  /** Whether answers that a worker would not give twice are kept too. */
  readonly cachesNondeterministic: boolean
  /** Null unless it is the backend. */
  readonly redis: CacheRedisConfig | null
}

/** Answers that are given to requests that mean the same. */
export interface SemanticCacheConfig extends ResponseCacheConfig {
  readonly backend: 'memory' | 'redis'
  /** Whether requests are looked up where no decision says so. */
  readonly isEnabled: boolean
  readonly server: EmbeddingServerConfig
  /** How long a request waits for its vector. */
  readonly timeoutMs: number
  /** Cosine from which two questions mean the same. */
  readonly threshold: number
}

/** A Redis that holds what processes agree on. */
export interface RedisConfig {
  /** With user and password, if any. A secret. */
  readonly url: Secret
  /** What every key begins with: processes with the same one are one fleet. */
  readonly keyPrefix: string
  readonly connectTimeoutMs: number
  /** How long an answer may take. */
  readonly commandTimeoutMs: number
}

export interface AdminKey {
  /** Named in logs and in the list of configurations. */
  readonly label: string
  /** SHA-256 of the key, 64 hexadecimal digits. */
  readonly keyDigest: string
  readonly scopes: readonly AdminScope[]
}

/** What stands for a worker in headers; `auto` is the configured id, else the URL. */
export type WorkerDisplay = 'auto' | 'url' | 'id' | 'hash'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** `auto` is text at a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'json' | 'text'

export interface LogConfig {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Share of requests that went well which leave an entry, from 0 to 1. */
  readonly sampleRatio: number
}

/** A configuration for people: as an operator would write it, and what tells two of them apart. */
export interface ConfigDocument {
  /** Every top-level key with its value or default, in YAML's terms. Secrets are `***`. */
  readonly shown: Readonly<Record<string, unknown>>
  /** A digest of each of them, secrets included: shows which sections two configurations differ in. */
  readonly sections: Readonly<Record<string, string>>
  /** Digests of the services and files it leads to (`digestOfReach`). */
  readonly reaches: readonly string[]
}

/** Tracing by the OpenTelemetry protocol. */
export interface TraceConfig {
  /** A whole URL, path included. */
  readonly endpoint: string
  readonly protocol: 'http/json' | 'http/protobuf'
  readonly headers: Readonly<Record<string, Secret>>
  readonly serviceName: string
  /** What else is said of whoever sends. */
  readonly resourceAttributes: Readonly<Record<string, string>>
  /** How long one message may take. */
  readonly timeoutMs: number
  /** Of traces that begin here, from 0 to 1. */
  readonly samplingRatio: number
  readonly excludedPaths: ReadonlySet<string>
  /** Whether requests that fail are sent although they were not sampled. */
  readonly exportsErrors: boolean
}

/** Metrics that are sent by the OpenTelemetry protocol. */
export interface MetricsPushConfig {
  /** A whole URL, path included. */
  readonly endpoint: string
  readonly protocol: 'http/json' | 'http/protobuf'
  readonly headers: Readonly<Record<string, Secret>>
  readonly serviceName: string
  readonly intervalMs: number
}

export interface Config {
  /** First 16 hexadecimal digits of the SHA-256 over the effective configuration; stamped on every record. */
  readonly hash: string
  readonly document: ConfigDocument
  readonly host: string
  readonly port: number
  readonly workers: readonly WorkerConfig[]
  readonly policy: Policy
  readonly defaultModel: string | null
  /** SHA-256 of the key that callers must present; null when there is none. */
  readonly inboundKeyDigest: string | null
  /** Lets a deployed Worker answer callers without a key. */
  readonly allowAnonymous: boolean
  /** Callers with keys of their own; when there are any, every caller needs one of them or the inbound key. */
  readonly tenants: readonly TenantConfig[]
  /** Asked about keys nobody here knows; null when there is no such service. */
  readonly keyValidation: KeyValidationConfig | null
  /** Null when the router takes on whatever comes. */
  readonly overload: OverloadConfig | null
  /** Keys that open the admin routes; with none they are open to this machine alone, or to nobody. */
  readonly adminKeys: readonly AdminKey[]
  readonly decisionLog: DecisionLogConfig
  readonly routerReplay: RouterReplayConfig
  /** Where processes share the state of the fleet and tenants' limits; null for each its own. */
  readonly sharedState: RedisConfig | null
  /** Where spans go; null when nothing is traced. */
  readonly traces: TraceConfig | null
  /** Whether `/metrics` is open to anybody. */
  readonly hasPublicMetrics: boolean
  /** Where metrics are sent; null when they are only scraped. */
  readonly metricsPush: MetricsPushConfig | null
  /** Where workers added through the API may be. */
  readonly allowedWorkerHosts: readonly string[]
  /** Where services may be that a configuration from the API adds: hooks, checks of keys, stores. */
  readonly allowedServiceHosts: readonly string[]
  /** Environment variables that a configuration from the API may refer to. */
  readonly configEnv: readonly string[]
  readonly health: HealthConfig
  /** Null when breakers are switched off. */
  readonly breaker: BreakerConfig | null
  /** Asked in this order before routing. */
  readonly hooks: readonly HookConfig[]
  /** The first that matches decides which model a request goes to. */
  readonly modelRules: readonly ModelRule[]
  /** What decides the model by what is asked; null when nothing does. */
  readonly decisions: DecisionsConfig | null
  readonly signalRules: SignalRules
  /** The same rules, ready to be asked. */
  readonly signals: ReadySignals
  /** Who answers for those that take a server. */
  readonly signalServers: SignalServersConfig
  /** Null when no answer is given twice. */
  readonly responseCache: ResponseCacheConfig | null
  readonly semanticCache: SemanticCacheConfig | null
  /** Null when there are no clusters. */
  readonly semanticCluster: SemanticClusterConfig | null
  /** Null when every prompt is tokenised that is to be looked up. */
  readonly promptCache: PromptCacheConfig | null
  /** Null when routers tell each other nothing of prefixes. */
  readonly sharedPrefixes: SharedPrefixConfig | null
  readonly retry: RetryConfig
  /** Null when late requests are not sent twice. */
  readonly hedge: HedgeConfig | null
  readonly exposeRoutingHeaders: boolean
  readonly workerDisplay: WorkerDisplay
  /** Largest request body in bytes; null takes the platform's default. */
  readonly maxPayloadBytes: number | null
  readonly corsAllowedOrigins: readonly string[]
  /** Extra request headers passed to workers, lower case. */
  readonly forwardHeaders: readonly string[]
  /** Worker paths opened one by one beyond the catalogue, such as `/metrics`. */
  readonly passthroughPaths: readonly string[]
  readonly timeouts: Timeouts
  /** For the whole body of a request that is JSON to arrive; null for as long as it takes. */
  readonly requestBodyMs: number | null
  /** How often each worker's `/v1/models` is read. */
  readonly modelRefreshMs: number
  /** How long the worker of a stored response is remembered. */
  readonly responseTtlMs: number
  readonly log: LogConfig
  /** How long running streams may finish after SIGTERM. */
  readonly shutdownGraceMs: number
  readonly fleet: DurableObjectsConfig
}

/** How many Durable Objects of each kind there are (docs/bench/scale.md has the rule), and where they should live. */
export interface DurableObjectsConfig {
  /** Objects that isolates are spread over to read the fleet's state. */
  readonly replicas: number
  /** Objects for stored responses, and for hints where prefixes are. */
  readonly shards: number
  /** Objects that divide a tenant's limits evenly. */
  readonly tenantShards: number
  /** Groups of eight objects that keep decision records. */
  readonly decisionGroups: number
  readonly locationHint: string | null
}
