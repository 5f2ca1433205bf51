// The configuration as the rest of the router sees it: merged, with defaults filled in, times in milliseconds.
// What operators write is in schema.ts; load.ts turns one into the other.

import type { ModelRule } from '../routing/model-rules.ts'
import type { Policy } from '../routing/policy.ts'

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
  readonly apiKey: string | null
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
  readonly headers: Readonly<Record<string, string>>
  /** Bearer key sent to the hook. A secret. */
  readonly apiKey: string | null
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

/** What stands for a worker in headers; `auto` is the configured id, else the URL. */
export type WorkerDisplay = 'auto' | 'url' | 'id' | 'hash'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Config {
  /** First 16 hexadecimal digits of the SHA-256 over the effective configuration; stamped on every record. */
  readonly hash: string
  readonly host: string
  readonly port: number
  readonly workers: readonly WorkerConfig[]
  readonly policy: Policy
  readonly defaultModel: string | null
  /** Key that callers must present; null when there is none. A secret. */
  readonly inboundApiKey: string | null
  /** Lets a deployed Worker answer callers without a key. */
  readonly allowAnonymous: boolean
  /** Asked in this order before routing. */
  readonly hooks: readonly HookConfig[]
  /** The first that matches decides which model a request goes to. */
  readonly modelRules: readonly ModelRule[]
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
  /** How often each worker's `/v1/models` is read. */
  readonly modelRefreshMs: number
  /** How long the worker of a stored response is remembered. */
  readonly responseTtlMs: number
  readonly logLevel: LogLevel
  /** How long running streams may finish after SIGTERM. */
  readonly shutdownGraceMs: number
  /** The Durable Object `Fleet`: replicas that isolates are spread over, and where the objects should live. */
  readonly fleet: { readonly replicas: number; readonly locationHint: string | null }
}
