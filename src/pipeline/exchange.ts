// The state of one request while it is under way, from the first byte to the record. Mutable, owned by one request.

import type { Config } from '../config/config.ts'
import type { RequestContext } from '../platform.ts'
import type { Decision, DecisionInput } from '../routing/decide.ts'
import type { Usage } from './record.ts'

export type RoutingMethod = 'policy' | 'rejected' | 'none'

export type AttemptEnd = 'answered' | 'timeout' | 'unreachable' | 'aborted' | 'invalid'

/** One try at one worker, as the record lists it. */
export interface AttemptLine {
  /** Candidate id: the worker, or one of its ranks. */
  readonly worker: string
  readonly workerId: string
  readonly outcome: AttemptEnd
  /** Finer word for the outcome, such as `first_byte` or `refused`; null when there is none. */
  readonly reason: string | null
  /** The worker's status; null when it gave none. */
  readonly status: number | null
  readonly ms: number
}

/** What a decision was made from, kept so that it can be made again. */
export interface DecisionTrace {
  readonly input: DecisionInput
  readonly decision: Decision
  readonly seed: number
  readonly view: { readonly source: string; readonly ageMs: number }
}

export interface Exchange {
  readonly requestId: string
  readonly receivedAtMs: number
  readonly config: Config
  readonly context: RequestContext
  /** Path of the matched route as the catalogue writes it; null until one matched. */
  route: string | null
  /** The error shape of this caller. */
  dialect: 'openai' | 'anthropic'
  /** Whether the routing headers belong on the answer: true on inference routes. */
  isInference: boolean
  /** Whether answers of this route could be cached at all. */
  isCacheable: boolean
  /** Id of the record; null until the caller has passed authentication. */
  decisionId: string | null
  originalModel: string | null
  model: string | null
  method: RoutingMethod
  wantsStream: boolean
  trace: DecisionTrace | null
  readonly attempts: AttemptLine[]
  firstByteAtMs: number | null
  usage: Usage | null
  isClosed: boolean
}

export interface OpenExchange {
  readonly requestId: string
  readonly receivedAtMs: number
  readonly config: Config
  readonly context: RequestContext
}

export function openExchange(open: OpenExchange): Exchange {
  return {
    ...open,
    route: null,
    dialect: 'openai',
    isInference: false,
    isCacheable: false,
    decisionId: null,
    originalModel: null,
    model: null,
    method: 'rejected',
    wantsStream: false,
    trace: null,
    attempts: [],
    firstByteAtMs: null,
    usage: null,
    isClosed: false,
  }
}
