// Streams of /v1/responses: named events that end with one of four, and an id under which the worker keeps the answer.
// `event:` names the event; where a worker leaves it out, the `type` in the data does.

import { ERROR_CODES } from '../../errors/codes.ts'
import { isText, matchesAt } from '../ascii.ts'
import { copyLastObject, fieldOf, firstValueStart, lastValueStart, parseJson, stringAt } from '../json-peek.ts'
import type { SseEvent } from '../sse.ts'
import type { StreamDialect, StreamFacts, StreamFailure } from '../stream-dialect.ts'
import { isErrorEvent, lastUsage } from './stream.ts'

const ENDINGS = ['response.completed', 'response.incomplete', 'response.cancelled', 'response.failed'] as const

export const responsesStream: StreamDialect = {
  tokenKeys: ['delta'],
  inspect: inspectResponse,
  errorFrame: responsesErrorFrame,
  usage: lastUsage,
}

function inspectResponse(facts: StreamFacts, event: SseEvent): 'pass' | 'report_before' {
  if (facts.responseId === null && event.part !== 'tail' && isNamed(event, 'response.created')) {
    facts.responseId = responseIdOf(event)
  }
  if (event.part === 'head') return 'pass'
  const ending = ENDINGS.find((name) => isNamed(event, name))
  if (ending !== undefined) {
    facts.terminatorSeen = true
    facts.usage = copyLastObject(event.data, 'usage') ?? facts.usage
  }
  const isError = ending === 'response.failed' || isNamed(event, 'error')
  facts.errorSeen ||= isError || (matchesAt(event.data, 0, '{"error"') && isErrorEvent(event.data))
  return ending === 'response.completed' && isUnderWay(event) && !facts.errorSeen ? 'report_before' : 'pass'
}

/** A worker that gave up may send its last event with a response that is not done. The tail of a big event can't tell. */
function isUnderWay({ data, part }: SseEvent): boolean {
  if (part !== 'whole') return false
  const status = fieldOf(fieldOf(parseJson(data), 'response'), 'status')
  return status === 'in_progress' || status === 'queued'
}

function isNamed({ name, data }: SseEvent, wanted: string): boolean {
  if (name !== null) return isText(name, wanted)
  // The type is a key of the top level, and either the first or the last of that name, as `response` nests the others.
  return [lastValueStart(data, 'type'), firstValueStart(data, 'type')].some(
    (start) => start >= 0 && matchesAt(data, start, `"${wanted}"`),
  )
}

function responseIdOf({ data, part }: SseEvent): string | null {
  // A head can't be parsed, but both vLLM and OpenAI send the id as the first key of the response.
  if (part === 'head') return stringAt(data, firstValueStart(data, 'id'))
  const id = fieldOf(fieldOf(parseJson(data), 'response'), 'id')
  return typeof id === 'string' ? id : null
}

function responsesErrorFrame({ message, code }: StreamFailure): string {
  const error = { message, type: ERROR_CODES[code].type, param: null, code }
  // OpenAI's flat event, and `error` besides: the Node client raises on the event's name, the Python client on the key.
  return `event: error\ndata: ${JSON.stringify({ type: 'error', code, message, param: null, error })}\n\n`
}
