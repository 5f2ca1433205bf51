// Which worker holds the beginning of a prompt, as routers and isolates tell each other: asked where this one knows of
// nobody, and only as long as its budget lasts.

export interface SharedPrefixHint {
  /** Candidate id of the worker that got a prompt with this beginning lately. */
  readonly candidateId: string
  /** How many of the keys that were asked for it is thought to hold, from the first on; at least one. */
  readonly blocks: number
}

/** What came of a question; `not_asked` when nobody is to be asked. */
export type SharedPrefixOutcome = 'ok' | 'miss' | 'timeout' | 'unreachable' | 'aborted' | 'breaker_open' | 'not_asked'

export interface SharedPrefixAnswer {
  readonly hint: SharedPrefixHint | null
  readonly outcome: SharedPrefixOutcome
}

export interface SharedPrefixes {
  /**
   * The holder of the longest known beginning. `keys` are chained hashes of a prompt's blocks, 16 hexadecimal digits
   * each, the first block's first: a key stands for its block and all before it, its model and its salt. No hint when
   * nobody is known, when the answer takes longer than the budget, and when the signal fires; never rejects.
   */
  find(keys: readonly string[], signal: AbortSignal): Promise<SharedPrefixAnswer>
  /**
   * A worker has answered a prompt with these blocks: told with the probability that is configured, off the request's
   * path. Never throws; `waitUntil` keeps a write alive where the platform wants that.
   */
  note(keys: readonly string[], candidateId: string, waitUntil: (task: Promise<unknown>) => void): void
  /** Times that others were told so far. */
  written(): number
}
