// Whether an answer that says nothing of cached tokens means that there were none. vLLM leaves a count of zero out, and every
// count unless it was started with --enable-prompt-tokens-details; of its APIs not all have a place for it.

/** Answers in a row without a count that was to be expected, after which the worker is taken to count no more. */
const MOST_SILENT = 20

export interface CountedAnswer {
  readonly candidateId: string
  readonly api: string
  /** As the worker said it; null where it didn't. */
  readonly cachedTokens: number | null
  /** Whether some of the prompt was thought to be there. */
  readonly isForeseen: boolean
}

export class CachedCounts {
  /** Candidates that have counted, by API, with the answers since then that should have had a count. */
  readonly #silentSince = new Map<string, Map<string, number>>()
  readonly #onGivenUp: (candidateId: string) => void

  /** `onGivenUp` is told of candidates whose silence meant nothing after all. */
  constructor(onGivenUp: (candidateId: string) => void) {
    this.#onGivenUp = onGivenUp
  }

  /** How many tokens were cached; null where that can't be known. */
  read({ candidateId, api, cachedTokens, isForeseen }: CountedAnswer): number | null {
    let apis = this.#silentSince.get(candidateId)
    if (cachedTokens !== null) {
      if (apis === undefined) this.#silentSince.set(candidateId, (apis = new Map<string, number>()))
      apis.set(api, 0)
      return cachedTokens
    }
    const silent = apis?.get(api)
    if (apis === undefined || silent === undefined) return null
    if (isForeseen && silent + 1 >= MOST_SILENT) {
      apis.delete(api)
      this.#onGivenUp(candidateId)
      return null
    }
    if (isForeseen) apis.set(api, silent + 1)
    return 0
  }

  /** Forgets candidates that are not among these. */
  retain(candidateIds: ReadonlySet<string>): void {
    for (const id of this.#silentSince.keys()) if (!candidateIds.has(id)) this.#silentSince.delete(id)
  }
}
