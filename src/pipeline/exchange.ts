// The state of one request while it is under way, from the first byte to the record. Mutable, owned by one request.

import type { ReplayCapture } from '../capture/replay-capture.ts'
import type { Config, TenantConfig, WorkerConfig } from '../config/config.ts'
import type { RequestContext } from '../platform.ts'
import type { Decision, DecisionInput, FleetView } from '../routing/decide.ts'
import type { DecisionMethod } from '../routing/policy.ts'
import type { Split } from '../routing/model-rules.ts'
import type { LimitOutcome } from '../store/limit-outcome.ts'
import type { TraceHeaders } from '../tracing/trace-headers.ts'
import type { Vectors } from '../upstream/embeddings.ts'
import type { ServiceFailure } from '../upstream/json-service.ts'
import type { AnswerKeeper } from './answer-keeper.ts'
import type { LookedUp } from './lmcache-sight.ts'
import type { Decided } from './decided.ts'
import type { Usage } from './record.ts'
import type { TokenEstimate, TokenUse } from './token-charge.ts'
import type { Tracing } from './tracing.ts'

export type RoutingMethod = DecisionMethod | 'cache-hit' | 'semantic-hit' | 'rejected'

/** `open` while it runs; `superseded` when another attempt won; `invalid` when the answer could not be passed on. */
export type AttemptEnd = 'open' | 'answered' | 'timeout' | 'unreachable' | 'aborted' | 'superseded' | 'invalid'

/** One try at one worker, as the record lists it. */
export interface AttemptLine {
  /** Candidate id: the worker, or one of its ranks. */
  readonly worker: string
  readonly workerId: string
  outcome: AttemptEnd
  /** Finer word for the outcome, such as `first_byte` or `refused`; null when there is none. */
  reason: string | null
  /** The worker's status; null when it gave none. */
  status: number | null
  ms: number
}

/** What a decision was made from, kept so that it can be made again. */
export interface DecisionTrace {
  readonly input: DecisionInput
  readonly decision: Decision
  readonly seed: number
  readonly view: FleetView
}

/** A request that the response cache has a word on. */
export interface CacheNote {
  readonly status: 'exact-hit' | 'semantic-hit' | 'miss' | 'bypass'
  /** What the answer is kept under. */
  readonly key: string | null
  /** How near the request is that the answer was given to; null unless that is what counted. */
  readonly similarity: number | null
  /** Sees the answer of a worker; null when there is none to keep. */
  readonly keeper: AnswerKeeper | null
}

/** One question to another service that a decision waited for. */
export interface FactStep {
  /** What was asked: `tokenize`, `lookup`, `occupancy`, `shared_prefix`, `embedding`. */
  readonly step: string
  /** `ok`; `cached` or `prefix` for ids that a cache had; else in a word why nothing came of it. */
  readonly outcome: string
  readonly ms: number
}

/** Something that is held for as long as the request lives: its place in the router, a slot of its tenant. */
export interface Held {
  /** Says that the request is still alive; called every few seconds while a worker is at it. */
  renew(): void
  /** Gives it back. Only the first call counts. */
  release(): void
}

export interface Exchange {
  readonly requestId: string
  readonly receivedAtMs: number
  readonly config: Config
  readonly context: RequestContext
  /** What tracing has to do with it; null for nothing. */
  readonly tracing: Tracing | null
  /** The trace that its caller is in, for services where it is not traced here; null for a request that nobody sent. */
  readonly callerTrace: (() => TraceHeaders) | null
  /** Path of the matched route as the catalogue writes it; null until one matched. */
  route: string | null
  /** The error shape of this caller. */
  dialect: 'openai' | 'anthropic'
  /** Whether the routing headers belong on the answer: true on inference routes. */
  isInference: boolean
  /** Whether answers of this route could be cached at all. */
  isCacheable: boolean
  /** What of this route costs tokens. */
  tokenUse: TokenUse
  /** Id of the record; null until the caller has passed authentication. */
  decisionId: string | null
  /** Whose key it came with; null until that is known, and for callers without a key of their own. */
  tenant: TenantConfig | null
  /** Whose the responses are that it stores; null for all together who share one key, or need none. */
  party: string | null
  /** What its tenant's limits said; null where there are none, and until they were asked. */
  limits: LimitOutcome | null
  /** How many tokens it is thought to use; null where that is of no consequence. */
  tokenEstimate: TokenEstimate | null
  /** Given back when the exchange closes, however it ends. */
  readonly held: Held[]
  /** How long it waited for a place in the router; null when it did not have to. */
  queuedMs: number | null
  /** Size of the request's body; null where there is none, or nobody stated it. */
  requestBytes: number | null
  /** The prompt's text for the record; null unless the configuration wants it kept. */
  requestText: string | null
  /** The body as workers get it, to be hashed for the record at the end; null unless the configuration wants that. */
  promptBody: Readonly<Record<string, unknown>> | null
  /** What Router Replay is to record of it; null when it records nothing. */
  replay: ReplayCapture | null
  originalModel: string | null
  model: string | null
  /** `match` of the model rule that took the request; null when none did. */
  rule: string | null
  /** What that rule drew the model from; null unless it splits by weight. */
  split: Split | null
  /** What rules about its meaning made of it; null where none were asked. */
  decided: Decided | null
  /** Models to try, in this order, after attempts on `model` have failed; empty unless a rule says so. */
  nextModels: string[]
  method: RoutingMethod
  wantsStream: boolean
  trace: DecisionTrace | null
  /** What the response cache has to do with it; null where it has not been asked. */
  cache: CacheNote | null
  /** Vectors of its text that were asked for, by server and text, so that each is asked for once. */
  readonly embeddings: Map<string, Promise<Vectors | ServiceFailure>>
  /** What was asked of other services for the decision, in order, with what came of it. */
  readonly steps: FactStep[]
  /** The prompt that LMCache was asked about; null when it was not. */
  lookedUp: LookedUp | null
  /** What became of each hook that was asked, as the header lists it. */
  readonly hooksRan: string[]
  readonly attempts: AttemptLine[]
  /** The candidate that answered, or was tried last; null before the first attempt. */
  worker: { readonly id: string; readonly config: WorkerConfig } | null
  /** True when the router has used up what it may try; client libraries are told not to go on. */
  hasSpentTries: boolean
  /** True when the retry budget refused another attempt. */
  isRetryRefused: boolean
  firstByteAtMs: number | null
  /** When the first generated text of a stream went on to the client; null where that is not traced. */
  firstTokenAtMs: number | null
  usage: Usage | null
  /** How far a streamed answer got, once it is over; null for answers that did not stream. */
  streamed: { readonly events: number; readonly isComplete: boolean } | null
  isClosed: boolean
}

export interface OpenExchange {
  readonly requestId: string
  /** Null, too, where it is left out. */
  readonly tracing?: Tracing | null
  readonly callerTrace?: () => TraceHeaders
  readonly receivedAtMs: number
  readonly config: Config
  readonly context: RequestContext
}

export function openExchange(open: OpenExchange): Exchange {
  return {
    requestId: open.requestId,
    receivedAtMs: open.receivedAtMs,
    config: open.config,
    context: open.context,
    tracing: open.tracing ?? null,
    callerTrace: open.callerTrace ?? null,
    route: null,
    dialect: 'openai',
    isInference: false,
    isCacheable: false,
    tokenUse: 'none',
    decisionId: null,
    tenant: null,
    party: null,
    limits: null,
    tokenEstimate: null,
    held: [],
    queuedMs: null,
    requestBytes: null,
    requestText: null,
    promptBody: null,
    replay: null,
    originalModel: null,
    model: null,
    rule: null,
    split: null,
    decided: null,
    nextModels: [],
    method: 'rejected',
    wantsStream: false,
    trace: null,
    cache: null,
    embeddings: new Map(),
    steps: [],
    lookedUp: null,
    hooksRan: [],
    attempts: [],
    worker: null,
    hasSpentTries: false,
    isRetryRefused: false,
    firstByteAtMs: null,
    firstTokenAtMs: null,
    usage: null,
    streamed: null,
    isClosed: false,
  }
}
