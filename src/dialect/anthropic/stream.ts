// Streams of /v1/messages: they end with message_stop, fail with an error event, and split the token counts over two.
// Anthropic's clients skip events without an `event:` line, so a name in the data alone is only a fallback.

import { ERROR_CODES } from '../../errors/codes.ts'
import { anthropicErrorType } from '../error-body.ts'
import { isText, matchesAt } from '../ascii.ts'
import { copyLastObject, firstValueStart, lastValueStart, parseJson } from '../json-peek.ts'
import type { SseEvent } from '../sse.ts'
import type { StreamDialect, StreamFacts, StreamFailure } from '../stream-dialect.ts'
import { toTokenUsage, type TokenUsage } from '../usage.ts'

export const messageStream: StreamDialect = {
  inspect: inspectMessage,
  errorFrame: messageErrorFrame,
  usage: messageUsage,
}

function inspectMessage(facts: StreamFacts, event: SseEvent): 'pass' {
  if (event.part === 'head') return 'pass'
  if (isNamed(event, 'message_stop')) facts.terminatorSeen = true
  else if (isNamed(event, 'error')) facts.errorSeen = true
  else if (isNamed(event, 'message_delta')) facts.usage = copyLastObject(event.data, 'usage') ?? facts.usage
  else if (isNamed(event, 'message_start')) facts.startUsage = copyLastObject(event.data, 'usage')
  return 'pass'
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
