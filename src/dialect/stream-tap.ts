// Watches a streamed answer on its way to the client, and knows whether it ended as its dialect says it must.
// A transport can't tell a cut stream from a finished one (workerd#6818), so only the events themselves decide.

import type { ErrorCodeName } from '../errors/codes.ts'
import { messageStream } from './anthropic/stream.ts'
import { isText } from './ascii.ts'
import { createEventGate, pushChunk, takeHeld, type EventGate } from './event-gate.ts'
import { fieldOf, hasText, parseJson } from './json-peek.ts'
import { responsesStream } from './openai/responses-stream.ts'
import { audioStream, completionStream, completionStreamWithoutUsage } from './openai/stream.ts'
import type { SseEvent } from './sse.ts'
import { createStreamFacts, type StreamDialect, type StreamFacts } from './stream-dialect.ts'
import type { TokenUsage } from './usage.ts'

/** `unasked_usage`: chat or text completions whose caller did not ask for the usage chunk that the router asked for. */
export type StreamKind = 'chat' | 'completions' | 'unasked_usage' | 'responses' | 'messages' | 'other'

export type StreamOutcome = 'complete' | 'truncated' | 'error_reported'

export interface StreamTapState {
  /** An event with data has come by; comments don't count. */
  readonly firstEventSeen: boolean
  /** Events with data so far: about as many as tokens. */
  readonly events: number
  /** One of them had generated text. */
  readonly tokenSeen: boolean
  readonly terminatorSeen: boolean
  /** The worker reported an error in the stream itself. */
  readonly errorSeen: boolean
  /** The status that the first event stands for when it is an error; null when it is none, or has not come. */
  readonly openingErrorStatus: number | null
}

export interface StreamTap {
  /** What may go on to the client now; null when nothing may. The chunk itself whenever that is possible. */
  push(chunk: Uint8Array): Uint8Array | null
  /** The worker's stream ended without a transport error. `bytes` are the last to send. */
  end(): { bytes: Uint8Array | null; outcome: StreamOutcome }
  /**
   * The stream broke or timed out: the error frame to send. Null when the client has an ending or an error already;
   * `end()` still says which.
   */
  fail(message: string, code?: ErrorCodeName): Uint8Array | null
  readonly state: StreamTapState
  usage(): TokenUsage | null
  /** Id under which a worker keeps a response, as soon as a /v1/responses stream has named it. */
  responseId(): string | null
}

const LF = 0x0a

const TRUNCATED = 'The worker ended the stream before the answer was complete.'

const DIALECTS: Readonly<Record<StreamKind, StreamDialect>> = {
  chat: completionStream,
  completions: completionStream,
  unasked_usage: completionStreamWithoutUsage,
  responses: responsesStream,
  messages: messageStream,
  other: audioStream,
}

interface Tap {
  readonly dialect: StreamDialect
  readonly facts: StreamFacts
  readonly gate: EventGate
  /** The router has put an error frame into the stream. */
  reported: boolean
}

/** A tap for one answer. Without server-sent events there is no terminator to know: bytes pass, a clean end is good. */
export function createStreamTap(kind: StreamKind, contentType: string = 'text/event-stream'): StreamTap {
  if (!/^\s*text\/event-stream\s*(?:;|$)/i.test(contentType)) return createOpaqueTap()
  const tap: Tap = { dialect: DIALECTS[kind], facts: createStreamFacts(), gate: createEventGate(), reported: false }
  const onEvent = (event: SseEvent) => inspect(tap, event)
  return {
    push: (chunk) => pushChunk(tap.gate, chunk, onEvent),
    end: () => end(tap),
    fail: (message, code = 'upstream_truncated') => fail(tap, message, code),
    state: tap.facts,
    usage: () => tap.dialect.usage(tap.facts),
    responseId: () => tap.facts.responseId,
  }
}

function createOpaqueTap(): StreamTap {
  const facts = createStreamFacts()
  return {
    push(chunk) {
      facts.firstEventSeen = true
      return chunk
    },
    end: () => ({ bytes: null, outcome: 'complete' }),
    fail: () => null,
    state: facts,
    usage: () => null,
    responseId: () => null,
  }
}

function inspect(tap: Tap, event: SseEvent): Uint8Array | 'drop' | null {
  const { facts, dialect } = tap
  const isFirst = !facts.firstEventSeen
  facts.firstEventSeen = true
  facts.events += 1
  // The first few events of a stream alone are searched.
  if (!facts.tokenSeen) facts.tokenSeen = dialect.tokenKeys.some((key) => hasText(event.data, key))
  const verdict = dialect.inspect(facts, event)
  if (isFirst && facts.errorSeen) facts.openingErrorStatus = errorStatus(event.data)
  if (verdict === 'pass') return null
  return verdict === 'drop' ? verdict : report(tap, TRUNCATED, 'upstream_truncated')
}

/** vLLM gives an error in a stream the status it would have answered with as a number; whatever else is a failure. */
function errorStatus(data: Uint8Array): number {
  const code = fieldOf(fieldOf(parseJson(data), 'error'), 'code')
  return typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599 ? code : 500
}

function end(tap: Tap): { bytes: Uint8Array | null; outcome: StreamOutcome } {
  const last = hasEnding(tap) ? takeHeld(tap.gate) : completeLast(tap)
  if (!hasEnding(tap)) return { bytes: fail(tap, TRUNCATED, 'upstream_truncated'), outcome: 'truncated' }
  const outcome = tap.reported ? 'truncated' : tap.facts.errorSeen ? 'error_reported' : 'complete'
  return { bytes: last, outcome }
}

function hasEnding({ facts }: Tap): boolean {
  return facts.terminatorSeen || facts.errorSeen
}

/**
 * A last event that lacks no more than its blank line, with that line; parsers would leave the event out without it.
 * Only what shows by itself that it is whole counts: half a document is no event.
 */
function completeLast(tap: Tap): Uint8Array | null {
  const { held, heldBytes, big } = tap.gate
  if (big !== null || heldBytes === 0) return null
  const missing = new TextEncoder().encode(held[heldBytes - 1] === LF ? '\n' : '\n\n')
  return pushChunk(tap.gate, missing, (event) => (isWhole(event) ? inspect(tap, event) : 'drop'))
}

function isWhole({ data }: SseEvent): boolean {
  return isText(data, '[DONE]') || parseJson(data) !== undefined
}

function fail(tap: Tap, message: string, code: ErrorCodeName): Uint8Array | null {
  takeHeld(tap.gate)
  const { terminatorSeen, errorSeen } = tap.facts
  return terminatorSeen || errorSeen || tap.reported ? null : report(tap, message, code)
}

function report(tap: Tap, message: string, code: ErrorCodeName): Uint8Array {
  tap.reported = true
  // Half of a big event is out already: end it, so that the frame is an event of its own.
  const separator = tap.gate.big === null ? '' : '\n\n'
  return new TextEncoder().encode(separator + tap.dialect.errorFrame({ message, code }))
}
