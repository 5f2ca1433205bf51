// Token counts as workers report them, in one shape for the record and the limits.
// The names differ by dialect (prompt_tokens, input_tokens) and never clash, so one reader takes them all.

import { copyLastObject, countOf, fieldOf, parseJson } from './json-peek.ts'

export interface TokenUsage {
  /** As reported: whether Anthropic-style counts include what came from a cache is the worker's own convention. */
  readonly promptTokens: number
  readonly completionTokens: number
  readonly totalTokens: number
  /** Null when the worker does not say; vLLM needs `--enable-prompt-tokens-details` for it. */
  readonly cachedTokens: number | null
}

/** Reads a parsed `usage` object; null when it holds no count of what was read. */
export function toTokenUsage(usage: unknown): TokenUsage | null {
  // Reranking reports a total alone, all of it read.
  const promptTokens =
    countOf(usage, 'prompt_tokens') ?? countOf(usage, 'input_tokens') ?? countOf(usage, 'total_tokens')
  if (promptTokens === null) return null
  // Embeddings and scores report no completion.
  const completionTokens = countOf(usage, 'completion_tokens') ?? countOf(usage, 'output_tokens') ?? 0
  const totalTokens = countOf(usage, 'total_tokens') ?? promptTokens + completionTokens
  const details = fieldOf(usage, 'prompt_tokens_details') ?? fieldOf(usage, 'input_tokens_details')
  const cachedTokens = countOf(details, 'cached_tokens') ?? countOf(usage, 'cache_read_input_tokens')
  return { promptTokens, completionTokens, totalTokens, cachedTokens }
}

/** The last `usage` object in an answer, or in the end of one that was too long to keep. */
export function readUsage(bytes: Uint8Array): TokenUsage | null {
  const usage = copyLastObject(bytes, 'usage')
  return usage === null ? null : toTokenUsage(parseJson(usage))
}
