// What a dialect must say about its streamed answers for the tap to judge them: how they end, fail and count tokens.
// One implementation per shape of stream, each under its vendor's folder.

import type { ErrorCodeName } from '../errors/codes.ts'
import type { SseEvent } from './sse.ts'
import type { TokenUsage } from './usage.ts'

/** What a stream has shown so far. Dialects change it in `inspect` only; what is the same for all is the tap's. */
export interface StreamFacts {
  firstEventSeen: boolean
  /** Events with data so far. */
  events: number
  /** An event with generated text has come by. */
  tokenSeen: boolean
  terminatorSeen: boolean
  /** A worker reported an error in the stream itself. */
  errorSeen: boolean
  /** Status that the first event stands for when it is an error; null when it is none. */
  openingErrorStatus: number | null
  /** A choice said why it ended. */
  finishSeen: boolean
  /** JSON of the last usage object, and of the one sent at the start where a dialect splits the counts. */
  usage: Uint8Array | null
  startUsage: Uint8Array | null
  responseId: string | null
}

export interface StreamFailure {
  readonly message: string
  readonly code: ErrorCodeName
}

/** What becomes of an event: `report_before` asks for an error frame ahead of it, `drop` keeps it from the client. */
export type Verdict = 'pass' | 'report_before' | 'drop'

export interface StreamDialect {
  /** Keys of what a model generates: an event where one of them is a string that is not empty has a token. */
  readonly tokenKeys: readonly string[]
  /** Looks at one event with data. */
  inspect(facts: StreamFacts, event: SseEvent): Verdict
  /** One event that makes the dialect's own clients raise. */
  errorFrame(failure: StreamFailure): string
  usage(facts: StreamFacts): TokenUsage | null
}

export function createStreamFacts(): StreamFacts {
  return {
    firstEventSeen: false,
    events: 0,
    tokenSeen: false,
    terminatorSeen: false,
    errorSeen: false,
    openingErrorStatus: null,
    finishSeen: false,
    usage: null,
    startUsage: null,
    responseId: null,
  }
}
