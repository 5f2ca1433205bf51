// What prompts cost, as learned from answers: bytes a token, and milliseconds a token to prefill. One line a model.

/** Models that are remembered; the one not heard of for longest goes. */
const MAX_MODELS = 256

/** English text and code in the vocabularies of today. */
const START_BYTES_PER_TOKEN = 4
const LEAST_BYTES_PER_TOKEN = 0.5
const MOST_BYTES_PER_TOKEN = 32

/** Weight of one request once many were seen. */
const TOKEN_WEIGHT = 0.05

/** Prompts with less to prefill say more about the network than about the engine. */
const LEAST_TELLING_TOKENS = 512

/** How far the cost may come from what it is taken to be until it is known. */
const MOST_TIMES_OFF = 100

interface ModelCosts {
  bytesPerToken: number
  tokenSamples: number
  /** Null until a first byte told. */
  prefillMsPerToken: number | null
  prefillSamples: number
}

/** A first byte that came without much of a queue before it. */
export interface FirstByte {
  /** Tokens that had to be computed. */
  readonly uncachedTokens: number
  /** From the beginning of the attempt. */
  readonly ms: number
  /** What the configuration says a token costs. */
  readonly expectedMsPerToken: number
}

export class PrefillCosts {
  readonly #models = new Map<string | null, ModelCosts>()

  bytesPerToken(model: string | null): number {
    return this.#models.get(model)?.bytesPerToken ?? START_BYTES_PER_TOKEN
  }

  /** `expected` until it is known better. */
  prefillMsPerToken(model: string | null, expected: number): number {
    return this.#models.get(model)?.prefillMsPerToken ?? expected
  }

  /** A worker has counted the tokens of a prompt of so many bytes. */
  noteTokens(model: string | null, { bytes, tokens }: { readonly bytes: number; readonly tokens: number }): void {
    if (!(tokens > 0 && bytes > 0)) return
    const ratio = Math.min(MOST_BYTES_PER_TOKEN, Math.max(LEAST_BYTES_PER_TOKEN, bytes / tokens))
    const costs = this.#of(model)
    costs.tokenSamples += 1
    const weight = Math.max(TOKEN_WEIGHT, 1 / (costs.tokenSamples + 1))
    costs.bytesPerToken += weight * (ratio - costs.bytesPerToken)
  }

  /**
   * Follows the lower part of what is seen (its 40th percentile): whatever else delays a first byte makes it later, and
   * single outliers move the estimate by one small step only.
   */
  noteFirstByte(model: string | null, { uncachedTokens, ms, expectedMsPerToken: expected }: FirstByte): void {
    if (uncachedTokens < LEAST_TELLING_TOKENS || !(ms > 0)) return
    const costs = this.#of(model)
    const seen = ms / uncachedTokens
    const now = costs.prefillMsPerToken ?? expected
    costs.prefillSamples += 1
    const step = Math.max(0.03, 1 / (1 + costs.prefillSamples))
    const next = seen > now ? Math.min(seen, now * (1 + 0.4 * step)) : Math.max(seen, now * (1 - 0.6 * step))
    costs.prefillMsPerToken = Math.min(expected * MOST_TIMES_OFF, Math.max(expected / MOST_TIMES_OFF, next))
  }

  #of(model: string | null): ModelCosts {
    const known = this.#models.get(model)
    if (known !== undefined) return known
    if (this.#models.size >= MAX_MODELS) this.#models.delete(this.#models.keys().next().value ?? null)
    const costs: ModelCosts = {
      bytesPerToken: START_BYTES_PER_TOKEN,
      tokenSamples: 0,
      prefillMsPerToken: null,
      prefillSamples: 0,
    }
    this.#models.set(model, costs)
    return costs
  }
}
