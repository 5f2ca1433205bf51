// What a runtime fulfils. Nothing outside `runtime/` can tell where it runs; what differs between runtimes is here.

import type { TextNamespace } from './cache/response-kv.ts'
import type { CacheRedisConfig } from './config/cache-redis-schema.ts'
import type { LogLevel } from './config/config.ts'
import type { FleetCounts } from './store/fleet-counts.ts'
import type { LogEventName } from './log-events.ts'
import type { FleetStore } from './store/fleet-store.ts'
import type { LimitStore } from './store/limit-store.ts'
import type { PrefixHintStore } from './store/prefix-hints.ts'
import type { RedisCommands } from './store/redis-commands.ts'
import type { VectorStore } from './store/vector-store.ts'

/** A service or VPC binding: something with a `fetch` that reaches one private network. */
export interface Fetcher {
  fetch(request: Request): Promise<Response>
}

/** A binding that runs models by name, with what each of them takes and gives. */
export interface ModelBinding {
  /** What the model gives; a binding that knows the option gives the answer as it came, with its status. */
  run(model: string, input: unknown, options: ModelRunOptions): Promise<unknown>
}

export interface ModelRunOptions {
  readonly returnRawResponse: true
  readonly signal: AbortSignal
}

/** A dataset of Workers Analytics Engine: at most one index and twenty of each of the others a point. */
export interface AnalyticsDataset {
  writeDataPoint(point: { readonly indexes: string[]; readonly blobs: string[]; readonly doubles: number[] }): void
}

/** Headers by their names in lower case: what a runtime takes in one go, where each `set` of `Headers` is a call into it. */
export type HeaderFields = Record<string, string>

/**
 * Outgoing HTTP. Bodies come decoded; an answer that still has a `content-encoding` is in one the runtime can't undo.
 * `connectTimeoutMs` is honoured only where `Platform.showsConnectPhase` is true.
 */
export type SendRequest = (url: string, init: SendRequestInit) => Promise<WorkerAnswer>

/**
 * What is used of an answer: a `Response` is one. Where a stream of the web's kind is costly to make, `body` makes it
 * when it is asked for, and whoever reads the whole answer does not ask.
 */
export interface WorkerAnswer {
  readonly status: number
  readonly ok: boolean
  readonly headers: AnswerHeaders
  readonly body: ReadableStream<Uint8Array> | null
  /** Its body came encoded and is decoded here; it may turn out not to be what its headers said. */
  readonly isDecoded?: boolean
  /** In place of a reader of `body`, which it then takes, where the runtime has a cheaper one. */
  openReader?(): ByteReader
  arrayBuffer(): Promise<ArrayBuffer>
  text(): Promise<string>
}

/** What is used of a stream's reader, one read at a time; the runtimes' own declarations of it disagree. */
export interface ByteReader {
  read(): Promise<ReadChunk>
}

export interface ReadChunk {
  readonly done: boolean
  readonly value?: Uint8Array | undefined
}

/** Asked by names in lower case. */
export type AnswerHeaders = Pick<Headers, 'get'>

export interface SendRequestInit {
  readonly method: string
  readonly headers: Headers | HeaderFields
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  readonly signal: AbortSignal
  readonly connectTimeoutMs: number | null
}

/** What lives as long as the process or isolate. */
export interface Platform {
  /** Milliseconds since the epoch. May stand still while code runs (workerd). */
  now(): number
  /** A number in [0, 1), unpredictable. */
  random(): number
  /** 128 random bits, 32 hexadecimal digits. */
  randomId(): string
  /** Calls `task` once after `delayMs`, or a few per cent later; the function returned calls it off. */
  after(delayMs: number, task: () => void): () => void
  send: SendRequest
  /** A service or VPC binding by name; null when there is none of that name, or the runtime has no bindings. */
  binding(name: string): Fetcher | null
  /** A binding that runs models, by name; null when there is none of that name. Absent where the runtime has none. */
  modelBinding?(name: string): ModelBinding | null
  /** The truth about the fleet that processes or isolates agree on. */
  readonly fleet: FleetStore
  /** What this process is among those it shares its state with through Redis; null where it shares none that way. */
  readonly fleetRole?: (() => 'leader' | 'follower' | 'alone') | null
  /** What they agree on about tenants' limits. */
  readonly limits: LimitStore
  /** What they tell each other of prefixes without a Redis; absent where they can't. */
  readonly prefixHints?: PrefixHintStore
  /** Where vectors of a configuration's texts outlive them; absent where nothing does. */
  readonly vectorStore?: VectorStore
  /** Takes a data point of each request; absent where nobody does. */
  readonly analytics?: AnalyticsDataset
  /** Who adds up what isolates count; absent where each process is asked for its own. */
  readonly fleetCounts?: FleetCounts
  /** A KV namespace that answers are kept in; absent where there is none. */
  readonly answerNamespace?: TextNamespace
  /** A Redis over TCP; absent where there are no sockets. */
  openRedis?(config: CacheRedisConfig): RedisCommands
  /** Writes one event to the log. Never throws, and never waits. */
  writeLog(entry: LogEntry): void
  /** True where a failed connection can be told from a request that broke later, and timed apart. */
  readonly showsConnectPhase: boolean
  /** Who may use the admin routes while no admin key is set: callers on this very machine, or nobody. */
  readonly adminOpenTo: 'loopback' | 'nobody'
  /** True where something that one request does may wake another that waits; else that one looks for itself. */
  readonly wakesAcrossRequests: boolean
  /** Default of `max_payload_size` in bytes. */
  readonly defaultMaxPayloadBytes: number
  /** Sorts what `send` rejected with: what is known about how far the request got. */
  classifySendError(error: unknown): SendFailure
}

/**
 * How far a failed request surely got. `not_sent`: no byte reached the worker (refused, DNS, TLS, connect timeout).
 * `maybe_sent`: the worker may have begun (reset or closed before headers), or the runtime doesn't tell.
 */
export interface SendFailure {
  readonly phase: 'not_sent' | 'maybe_sent'
  /** Short word for records and metrics, such as `refused`, `dns`, `tls`, `connect_timeout`, `reset`, `network`. */
  readonly reason: string
}

/** One event of the log. Values are plain data; those that are undefined are left out. */
export interface LogEntry {
  /** RFC 3339, UTC. */
  readonly time: string
  readonly level: LogLevel
  readonly event: LogEventName
  readonly [field: string]: unknown
}

/** What comes with one request. */
export interface RequestContext {
  /** Keeps the runtime alive for work that outlives the answer. */
  waitUntil(task: Promise<unknown>): void
  /** The request target as it came over the wire, where the runtime shows it; else null. */
  readonly rawTarget: string | null
}
