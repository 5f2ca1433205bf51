// The bytes of /v1/completions: the whole answer with its nulls, and the chunks of a stream.

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
export interface CompletionAnswer {
  readonly model: string
  readonly generations: readonly Generation[]
  readonly choicesPerPrompt: number
  readonly fields: SamplingFields
}

/** The whole answer. */
export function toCompletion(exchange: Exchange, answer: CompletionAnswer, cachedTokens: number): object {
  const { generations, choicesPerPrompt } = answer
  const hasTokenIds = answer.fields.return_token_ids === true
  return {
    ...completionHead(exchange, answer.model, createdSeconds(exchange)),
    choices: generations.map((generation, index) => ({
      index,
      text: textOf(generation),
      logprobs: null,
      finish_reason: generation.finishReason,
      stop_reason: generation.stopReason,
      token_ids: hasTokenIds ? generation.tokens : null,
      prompt_logprobs: null,
      prompt_token_ids: hasTokenIds ? generation.prompt : null,
    })),
    service_tier: null,
    system_fingerprint: null,
    usage: toUsage(exchange, countTokens(generations, choicesPerPrompt, cachedTokens)),
    kv_transfer_params: null,
  }
}

function completionHead(exchange: Exchange, model: string, created: number): object {
  return { id: `cmpl-${exchange.requestId}`, object: 'text_completion', created, model }
}

/** The stream. */
export function createCompletionRenderer(exchange: Exchange, answer: CompletionAnswer): StreamRenderer {
  const { fields, generations, choicesPerPrompt } = answer
  const head = completionHead(exchange, answer.model, createdSeconds(exchange))
  const terminator = sseEvent('[DONE]')
  const isUsageWanted =
    fields.stream_options?.include_usage === true || exchange.worker.settings.enableForceIncludeUsage
  return {
    terminator,
    begin: () => [],
    token: (token) => [sseEvent({ ...head, choices: [toChunkChoice(answer, token)] })],
    end: (cachedTokens) => {
      const usage = toStreamUsage(exchange, countTokens(generations, choicesPerPrompt, cachedTokens))
      return isUsageWanted ? [sseEvent({ ...head, choices: [], usage }), terminator] : [terminator]
    },
    error: (status) => [sseEvent(toOpenAiError(new VllmError(status, 'Simulated engine failure.'))), terminator],
  }
}

function toChunkChoice(answer: CompletionAnswer, token: RenderedToken): object {
  const generation = answer.generations[token.choice]
  const hasTokenIds = answer.fields.return_token_ids === true
  return {
    index: token.choice,
    text: token.piece,
    logprobs: null,
    finish_reason: token.isLast ? generation?.finishReason : null,
    stop_reason: token.isLast ? generation?.stopReason : null,
    prompt_token_ids: hasTokenIds && token.index === 0 ? generation?.prompt : null,
    token_ids: hasTokenIds ? [token.id] : null,
  }
}
