// Streams of /v1/messages: they end with message_stop, fail with an error event, and split the token counts over two.
// Anthropic's clients skip events without an `event:` line, so a name in the data alone is only a fallback.

import { ERROR_CODES } from '../../errors/codes.ts'
import { anthropicErrorType } from '../error-body.ts'
import { isText, matchesAt } from '../ascii.ts'
import { copyLastObject, firstValueStart, lastValueStart, parseJson } from '../json-peek.ts'
import type { SseEvent } from '../sse.ts'
import type { StreamDialect, StreamFacts, StreamFailure } from '../stream-dialect.ts'
import { toTokenUsage, type TokenUsage } from '../usage.ts'

const LETTER_N = 0x6e

export const messageStream: StreamDialect = {
  tokenKeys: ['text', 'thinking', 'partial_json'],
  inspect: inspectMessage,
  errorFrame: messageErrorFrame,
  usage: messageUsage,
}

function inspectMessage(facts: StreamFacts, event: SseEvent): 'pass' | 'report_before' {
  if (event.part === 'head') return 'pass'
  if (isNamed(event, 'message_stop')) {
    if (facts.terminatorSeen) return 'pass'
    facts.terminatorSeen = true
    // A worker whose engine died may still say `message_stop`; only a stop reason says that the answer is whole.
    return facts.finishSeen || facts.errorSeen ? 'pass' : 'report_before'
  }
  if (isNamed(event, 'error')) facts.errorSeen = true
  else if (isNamed(event, 'message_delta')) inspectDelta(facts, event.data)
  else if (isNamed(event, 'message_start')) facts.startUsage = copyLastObject(event.data, 'usage')
  return 'pass'
}

function inspectDelta(facts: StreamFacts, data: Uint8Array): void {
  facts.usage = copyLastObject(data, 'usage') ?? facts.usage
  const reason = firstValueStart(data, 'stop_reason')
  if (reason >= 0 && data[reason] !== LETTER_N) facts.finishSeen = true
}

function isNamed({ name, data }: SseEvent, wanted: string): boolean {
  if (name !== null) return isText(name, wanted)
  return [firstValueStart(data, 'type'), lastValueStart(data, 'type')].some(
    (start) => start >= 0 && matchesAt(data, start, `"${wanted}"`),
  )
}

function messageErrorFrame({ message, code }: StreamFailure): string {
  const type = anthropicErrorType(ERROR_CODES[code].status)
  return `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, message } })}\n\n`
}

// message_start counts the prompt, message_delta the answer; what the later one repeats is the newer count.
function messageUsage(facts: StreamFacts): TokenUsage | null {
  const [start, last] = [facts.startUsage, facts.usage].map((json) => (json === null ? {} : parseJson(json)))
  return toTokenUsage({ ...Object(start), ...Object(last) })
}
