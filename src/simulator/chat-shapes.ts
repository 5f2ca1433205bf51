// The bytes of /v1/chat/completions: the whole answer with its nulls, and the chunks of a stream in the order and with
// the keys that vLLM gives them.

import { createdSeconds } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { textOf } from './generation.ts'
import type { Generation } from './generation.ts'
import { sseEvent } from './json-response.ts'
import type { RenderedToken, StreamRenderer } from './stream-renderer.ts'
import type { SamplingFields } from './sampling.ts'
import { countTokens, toStreamUsage, toUsage } from './usage.ts'
import { toOpenAiError, VllmError } from './vllm-error.ts'

/** What both forms of an answer are made from. */
export interface ChatAnswer {
  readonly model: string
  readonly generations: readonly Generation[]
  readonly fields: SamplingFields
}

/** The whole answer. */
export function toChatCompletion(exchange: Exchange, answer: ChatAnswer, cachedTokens: number): object {
  const { generations, model, fields } = answer
  return {
    id: `chatcmpl-${exchange.requestId}`,
    object: 'chat.completion',
    created: createdSeconds(exchange),
    model,
    choices: generations.map((generation, index) => toChoice(generation, index, fields.return_token_ids === true)),
    service_tier: null,
    system_fingerprint: null,
    usage: toUsage(exchange, countTokens(generations, generations.length, cachedTokens)),
    prompt_logprobs: null,
    prompt_token_ids: fields.return_token_ids === true ? (generations[0]?.prompt ?? null) : null,
    kv_transfer_params: null,
  }
}

function toChoice(generation: Generation, index: number, hasTokenIds: boolean): object {
  const { toolCall } = generation
  const text = textOf(generation)
  const calls =
    toolCall === null ? [] : [{ id: toolCall.id, type: 'function', function: { name: toolCall.name, arguments: text } }]
  return {
    index,
    message: {
      role: 'assistant',
      content: toolCall === null ? text : null,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      tool_calls: calls,
      reasoning: null,
    },
    logprobs: null,
    finish_reason: finishReasonOf(generation),
    stop_reason: generation.stopReason,
    token_ids: hasTokenIds ? generation.tokens : null,
  }
}

function finishReasonOf(generation: Generation): string {
  return generation.toolCall !== null && generation.finishReason === 'stop' ? 'tool_calls' : generation.finishReason
}

/** The stream. */
export function createChatRenderer(exchange: Exchange, answer: ChatAnswer): StreamRenderer {
  const { fields, generations } = answer
  const state: ChatStreamState = { exchange, answer, created: createdSeconds(exchange), completionTokens: 0 }
  const terminator = sseEvent('[DONE]')
  const isUsageWanted =
    fields.stream_options?.include_usage === true || exchange.worker.settings.enableForceIncludeUsage
  return {
    terminator,
    begin: () => [],
    token: (token) => tokenChunks(state, token),
    end: (cachedTokens) => {
      const usage = toStreamUsage(exchange, countTokens(generations, generations.length, cachedTokens))
      const usageChunk = sseEvent({ ...chunkHead(state), choices: [], usage })
      return isUsageWanted ? [usageChunk, terminator] : [terminator]
    },
    error: (status) => [sseEvent(toOpenAiError(new VllmError(status, 'Simulated engine failure.'))), terminator],
  }
}

interface ChatStreamState {
  readonly exchange: Exchange
  readonly answer: ChatAnswer
  readonly created: number
  completionTokens: number
}

function chunkHead(state: ChatStreamState): object {
  return {
    id: `chatcmpl-${state.exchange.requestId}`,
    object: 'chat.completion.chunk',
    created: state.created,
    model: state.answer.model,
  }
}

function tokenChunks(state: ChatStreamState, token: RenderedToken): string[] {
  const generation = state.answer.generations[token.choice]
  if (generation === undefined) return []
  const chunks = token.index === 0 ? [roleChunk(state, token, generation)] : []
  state.completionTokens++
  const isPlain = !token.isLast
  const choice = {
    index: token.choice,
    delta: deltaOf(generation, token),
    logprobs: null,
    finish_reason: isPlain ? null : finishReasonOf(generation),
    ...(isPlain ? {} : { stop_reason: generation.stopReason }),
    token_ids: state.answer.fields.return_token_ids === true ? [token.id] : null,
  }
  chunks.push(sseEvent({ ...chunkHead(state), choices: [choice], ...continuousUsage(state, generation) }))
  return chunks
}

function roleChunk(state: ChatStreamState, token: RenderedToken, generation: Generation): string {
  const delta = { role: 'assistant', content: '' }
  return sseEvent({
    ...chunkHead(state),
    choices: [{ index: token.choice, delta, logprobs: null, finish_reason: null }],
    prompt_token_ids: state.answer.fields.return_token_ids === true ? generation.prompt : null,
    ...continuousUsage(state, generation),
  })
}

function deltaOf(generation: Generation, token: RenderedToken): object {
  const { toolCall } = generation
  if (toolCall === null) return { content: token.piece }
  if (token.index === 0) {
    const call = { id: toolCall.id, type: 'function', index: 0 }
    return { tool_calls: [{ ...call, function: { name: toolCall.name, arguments: token.piece } }] }
  }
  if (token.piece === '') return { content: '' }
  return { tool_calls: [{ index: 0, function: { arguments: token.piece } }] }
}

function continuousUsage(state: ChatStreamState, generation: Generation): object {
  if (state.answer.fields.stream_options?.continuous_usage_stats !== true) return {}
  const counts = { prompt: generation.prompt.length, completion: state.completionTokens, cached: 0 }
  return { usage: toStreamUsage(state.exchange, counts) }
}
