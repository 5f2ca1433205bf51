// Hints of one Durable Object, in memory, bounded by number and time. An object that starts anew knows none, and nobody
// misses more than a cache hit.

/** Oldest first out beyond this; some 10 MB. */
const MAX_HINTS = 50_000

interface Hint {
  readonly candidateId: string
  readonly expiresAtMs: number
}

export class PrefixHintBook {
  readonly #maxHints: number
  /** The one written longest ago first. */
  readonly #hints = new Map<string, Hint>()

  constructor(maxHints: number = MAX_HINTS) {
    this.#maxHints = maxHints
  }

  read(keys: readonly string[], nowMs: number): readonly (string | null)[] {
    return keys.map((key) => {
      const hint = this.#hints.get(key)
      if (hint === undefined) return null
      if (hint.expiresAtMs > nowMs) return hint.candidateId
      this.#hints.delete(key)
      return null
    })
  }

  write(keys: readonly string[], { candidateId, expiresAtMs }: Hint): void {
    for (const key of keys) {
      this.#hints.delete(key)
      this.#hints.set(key, { candidateId, expiresAtMs })
    }
    for (const oldest of this.#hints.keys()) {
      if (this.#hints.size <= this.#maxHints) break
      this.#hints.delete(oldest)
    }
  }

  get size(): number {
    return this.#hints.size
  }
}
