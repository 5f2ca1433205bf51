// The bytes of /v1/messages: a whole message, without nulls, and the named events of a stream.

import type { Exchange } from './exchange.ts'
import { textOf } from './generation.ts'
import type { Generation } from './generation.ts'
import { sseEvent } from './json-response.ts'
import type { RenderedToken, StreamRenderer } from './stream-renderer.ts'
import { toAnthropicError, VllmError } from './vllm-error.ts'

/** What both forms of an answer are made from. */
export interface MessagesAnswer {
  readonly model: string
  readonly generation: Generation
}

/** The whole message. */
export function toMessage(exchange: Exchange, answer: MessagesAnswer): object {
  const { generation, model } = answer
  const { toolCall, stopReason } = generation
  const text = textOf(generation)
  const block =
    toolCall === null
      ? { type: 'text', text }
      : { type: 'tool_use', id: toolCall.id, name: toolCall.name, input: parseInput(text) }
  return {
    id: `chatcmpl-${exchange.requestId}`,
    type: 'message',
    role: 'assistant',
    content: [block],
    model,
    stop_reason: stopReasonOf(generation),
    ...(stopReason === null ? {} : { stop_sequence: stopReason }),
    usage: { input_tokens: generation.prompt.length, output_tokens: generation.tokens.length },
  }
}

// Arguments cut by max_tokens are no JSON; a client gets what can be made of them.
function parseInput(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function stopReasonOf(generation: Generation): string {
  if (generation.finishReason === 'length') return 'max_tokens'
  if (generation.stopReason !== null) return 'stop_sequence'
  return generation.toolCall === null ? 'end_turn' : 'tool_use'
}

/** The stream. */
export function createMessagesRenderer(exchange: Exchange, answer: MessagesAnswer): StreamRenderer {
  const terminator = namedEvent({ type: 'message_stop' })
  return {
    terminator,
    begin: () => [],
    token: (token) => tokenEvents(exchange, answer, token),
    end: () => [terminator],
    error: (status) => {
      const error = toAnthropicError(new VllmError(status, 'Simulated engine failure.'))
      return [sseEvent(error, 'error')]
    },
  }
}

function namedEvent(data: { readonly type: string } & Record<string, unknown>): string {
  return sseEvent(data, data.type)
}

function tokenEvents(exchange: Exchange, answer: MessagesAnswer, token: RenderedToken): string[] {
  const { generation } = answer
  const events = token.index === 0 ? openingEvents(exchange, answer) : []
  if (token.piece !== '')
    events.push(namedEvent({ type: 'content_block_delta', index: 0, delta: toDelta(generation, token) }))
  if (!token.isLast) return events
  const { stopReason } = generation
  const delta = {
    stop_reason: stopReasonOf(generation),
    ...(stopReason === null ? {} : { stop_sequence: stopReason }),
  }
  const usage = { input_tokens: generation.prompt.length, output_tokens: generation.tokens.length }
  return [
    ...events,
    namedEvent({ type: 'content_block_stop', index: 0 }),
    namedEvent({ type: 'message_delta', delta, usage }),
  ]
}

function openingEvents(exchange: Exchange, { generation, model }: MessagesAnswer): string[] {
  const { toolCall } = generation
  const message = {
    id: `chatcmpl-${exchange.requestId}`,
    type: 'message',
    role: 'assistant',
    content: [],
    model,
    usage: { input_tokens: generation.prompt.length, output_tokens: 0 },
  }
  const block =
    toolCall === null
      ? { type: 'text', text: '' }
      : { type: 'tool_use', id: toolCall.id, name: toolCall.name, input: {} }
  return [
    namedEvent({ type: 'message_start', message }),
    namedEvent({ type: 'content_block_start', index: 0, content_block: block }),
  ]
}

function toDelta(generation: Generation, token: RenderedToken): object {
  return generation.toolCall === null
    ? { type: 'text_delta', text: token.piece }
    : { type: 'input_json_delta', partial_json: token.piece }
}
