// What a dialect must say about its streamed answers for the tap to judge them: how they end, fail and count tokens.
// One implementation per shape of stream, each under its vendor's folder.

import type { ErrorCodeName } from '../errors/codes.ts'
import type { SseEvent } from './sse.ts'
import type { TokenUsage } from './usage.ts'

/** What a stream has shown so far. `inspect` is the only one to change it. */
export interface StreamFacts {
  firstEventSeen: boolean
  terminatorSeen: boolean
  /** A worker reported an error in the stream itself. */
  errorSeen: boolean
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

export interface StreamDialect {
  /** Looks at one event with data. `report_before` asks for an error frame ahead of this event. */
  inspect(facts: StreamFacts, event: SseEvent): 'pass' | 'report_before'
  /** One event that makes the dialect's own clients raise. */
  errorFrame(failure: StreamFailure): string
  usage(facts: StreamFacts): TokenUsage | null
}

export function createStreamFacts(): StreamFacts {
  return {
    firstEventSeen: false,
    terminatorSeen: false,
    errorSeen: false,
    finishSeen: false,
    usage: null,
    startUsage: null,
    responseId: null,
  }
}
