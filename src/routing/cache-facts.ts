// What a decision can know of where a prompt's KV cache is. Plain values: they are recorded and decided on again.

/**
 * What the router's own index says of one prompt. Candidates that are not listed hold nothing of it and have nothing to
 * prefill, as far as this router knows.
 */
export interface PrefixFact {
  /** Length of the prompt in tokens: estimated from its bytes, or counted. */
  readonly promptTokens: number
  /** Leading tokens of the prompt that each candidate is thought to hold, by candidate id. */
  readonly cachedTokens: Readonly<Record<string, number>>
  /** Tokens that requests in flight from here still wait to have prefilled, by candidate id. */
  readonly backlogTokens: Readonly<Record<string, number>>
  /** What a token costs to prefill, in milliseconds. */
  readonly prefillMsPerToken: number
}

/** What LMCache's control plane says, for one prompt and of the fleet. */
export interface LmcacheFact {
  /** Leading tokens that workers hold, by worker id; null when nobody was asked, or nothing came of it. */
  readonly matchedTokens: Readonly<Record<string, number>> | null
  /** Length of the prompt as it was tokenised; null when it was not. */
  readonly promptTokens: number | null
  /** Cached chunks of each worker by worker id, ranks divided out; null when not known, or known too long ago. */
  readonly chunkCounts: Readonly<Record<string, number>> | null
  /** What a token costs to prefill, in milliseconds. */
  readonly prefillMsPerToken: number
}
