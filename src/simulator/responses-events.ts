// The stream of /v1/responses: named events, numbered from zero, with no [DONE] at the end.

import { textOf } from './generation.ts'
import { sseEvent } from './json-response.ts'
import { toOutputItem, toResponseBody, toTextPart } from './responses-shapes.ts'
import type { ResponsesAnswer } from './responses-shapes.ts'
import type { RenderedToken, StreamRenderer } from './stream-renderer.ts'

interface EventStreamState {
  readonly answer: ResponsesAnswer
  sequence: number
}

/** The stream; `complete` is called when the answer is whole, and gives the final response object. */
export function createResponsesRenderer(
  answer: ResponsesAnswer,
  complete: () => Record<string, unknown>,
): StreamRenderer {
  const state: EventStreamState = { answer, sequence: 0 }
  const inProgress = toResponseBody(answer, 'in_progress')
  // Also when the answer was cut by max_output_tokens: vLLM has one event for both, and the status inside it.
  const finalEvent = 'response.completed'
  return {
    // What a client waits for, without the answer in it.
    terminator: sseEvent({ type: finalEvent, response: inProgress }, finalEvent),
    begin: () => [
      numbered(state, 'response.created', { response: inProgress }),
      numbered(state, 'response.in_progress', { response: inProgress }),
    ],
    token: (token) => tokenEvents(state, token),
    end: (cachedTokens) => {
      answer.cachedTokens = cachedTokens
      return [numbered(state, finalEvent, { response: complete() })]
    },
    error: (status) => [
      numbered(state, 'error', { code: String(status), message: 'Simulated engine failure.', param: null }),
    ],
  }
}

function numbered(state: EventStreamState, type: string, fields: object): string {
  return sseEvent({ ...fields, sequence_number: state.sequence++, type }, type)
}

function tokenEvents(state: EventStreamState, token: RenderedToken): string[] {
  const { answer } = state
  const isText = answer.generation.toolCall === null
  const events = token.index === 0 ? openingEvents(state, isText) : []
  const place = { item_id: answer.itemId, output_index: 0, ...(isText ? { content_index: 0 } : {}) }
  if (token.piece !== '') {
    const type = isText ? 'response.output_text.delta' : 'response.function_call_arguments.delta'
    events.push(numbered(state, type, { ...place, delta: token.piece, ...(isText ? { logprobs: [] } : {}) }))
  }
  return token.isLast ? [...events, ...closingEvents(state, place)] : events
}

function openingEvents(state: EventStreamState, isText: boolean): string[] {
  const { answer } = state
  const item = toOutputItem(answer, 'in_progress')
  const added = numbered(state, 'response.output_item.added', { output_index: 0, item })
  if (!isText) return [added]
  const place = { item_id: answer.itemId, output_index: 0, content_index: 0 }
  return [added, numbered(state, 'response.content_part.added', { ...place, part: toTextPart('') })]
}

function closingEvents(state: EventStreamState, place: object): string[] {
  const { answer } = state
  const text = textOf(answer.generation)
  const done = (): string =>
    numbered(state, 'response.output_item.done', { output_index: 0, item: toOutputItem(answer, 'completed') })
  if (answer.generation.toolCall !== null) {
    const { name } = answer.generation.toolCall
    return [numbered(state, 'response.function_call_arguments.done', { ...place, name, arguments: text }), done()]
  }
  return [
    numbered(state, 'response.output_text.done', { ...place, text, logprobs: [] }),
    numbered(state, 'response.content_part.done', { ...place, part: toTextPart(text) }),
    done(),
  ]
}
