// Usage in OpenAI's words, with vLLM's habits: cached tokens only when asked for at start-up and not zero.

import type { Exchange } from './exchange.ts'
import type { Generation } from './generation.ts'

/** Tokens of a whole answer. Several choices share one prompt, which counts once. */
export interface TokenCounts {
  readonly prompt: number
  readonly completion: number
  readonly cached: number
}

/** Counts of finished generations, of which every `choicesPerPrompt` in a row answer the same prompt. */
export function countTokens(generations: readonly Generation[], choicesPerPrompt: number, cached: number): TokenCounts {
  const prompts = generations.filter((_, index) => index % choicesPerPrompt === 0)
  return {
    prompt: prompts.reduce((sum, { prompt }) => sum + prompt.length, 0),
    completion: generations.reduce((sum, { tokens }) => sum + tokens.length, 0),
    // The first of several choices may miss what the others hit; an answer reports at most its prompt.
    cached: Math.floor(cached / choicesPerPrompt),
  }
}

function cachedDetails(exchange: Exchange, counts: TokenCounts): { cached_tokens: number } | null {
  const isShown = exchange.worker.settings.enablePromptTokensDetails && counts.cached > 0
  return isShown ? { cached_tokens: counts.cached } : null
}

/** Usage of a whole answer, with the null that vLLM leaves in it. */
export function toUsage(exchange: Exchange, counts: TokenCounts): object {
  return {
    prompt_tokens: counts.prompt,
    total_tokens: counts.prompt + counts.completion,
    completion_tokens: counts.completion,
    prompt_tokens_details: cachedDetails(exchange, counts),
  }
}

/** Usage inside a stream, where what is unset is left out. */
export function toStreamUsage(exchange: Exchange, counts: TokenCounts): object {
  const details = cachedDetails(exchange, counts)
  return {
    prompt_tokens: counts.prompt,
    total_tokens: counts.prompt + counts.completion,
    completion_tokens: counts.completion,
    ...(details === null ? {} : { prompt_tokens_details: details }),
  }
}
