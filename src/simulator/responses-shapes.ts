// The response object of /v1/responses, from queued to completed.

import { textOf } from './generation.ts'
import type { Generation } from './generation.ts'

/** The fields of a request that a response repeats. */
export interface EchoedFields {
  readonly instructions?: string | null | undefined
  readonly max_output_tokens?: number | null | undefined
  readonly previous_response_id?: string | null | undefined
  readonly background?: boolean | null | undefined
  readonly tools?: unknown
  readonly tool_choice?: unknown
}

/** What a response is made from. */
export interface ResponsesAnswer {
  readonly id: string
  readonly itemId: string
  readonly createdAt: number
  readonly model: string
  readonly generation: Generation
  readonly finalStatus: 'completed' | 'incomplete'
  /** Known once the prefill has begun. */
  cachedTokens: number
  readonly fields: EchoedFields
}

/** The object in one of its states; output and usage come with the final one. */
export function toResponseBody(
  answer: ResponsesAnswer,
  status: string,
): Record<string, unknown> & { id: string; status: string } {
  const { fields, finalStatus, model } = answer
  const isFinal = status === finalStatus
  return {
    id: answer.id,
    created_at: answer.createdAt,
    incomplete_details: isFinal && finalStatus === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: fields.instructions ?? null,
    metadata: null,
    model,
    object: 'response',
    output: isFinal ? [toOutputItem(answer, 'completed')] : [],
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: fields.tool_choice ?? 'auto',
    tools: Array.isArray(fields.tools) ? fields.tools : [],
    top_p: 1,
    background: fields.background ?? false,
    max_output_tokens: fields.max_output_tokens ?? null,
    max_tool_calls: null,
    previous_response_id: fields.previous_response_id ?? null,
    prompt: null,
    reasoning: null,
    service_tier: 'auto',
    status,
    text: null,
    top_logprobs: null,
    truncation: 'disabled',
    usage: isFinal ? toResponsesUsage(answer) : null,
    user: null,
  }
}

/** The one item that the output consists of; empty while in progress. */
export function toOutputItem(answer: ResponsesAnswer, status: 'in_progress' | 'completed'): object {
  const { generation, itemId: id } = answer
  const text = status === 'completed' ? textOf(generation) : ''
  const { toolCall } = generation
  if (toolCall !== null) {
    return { id, type: 'function_call', status, call_id: toolCall.id, name: toolCall.name, arguments: text }
  }
  const content = status === 'completed' ? [toTextPart(text)] : []
  return { id, type: 'message', role: 'assistant', status, content }
}

export function toTextPart(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: null }
}

function toResponsesUsage({ cachedTokens, generation }: ResponsesAnswer): object {
  const input = generation.prompt.length
  const output = generation.tokens.length
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  }
}
