// What workers would have found in their prefix caches: a model, with one least-recently-used list of blocks a worker. It knows
// nothing of decoding, other traffic or evictions under way, and begins empty; both sides of a comparison get the same one.

/** The blocks of one worker. A Map keeps the order in which blocks were used last. */
class BlockCache {
  readonly #blocks = new Map<string, true>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many of the blocks, from the first on, are there. */
  held(hashes: readonly string[]): number {
    let found = 0
    while (found < hashes.length && this.#blocks.has(hashes[found] ?? '')) found += 1
    return found
  }

  /** The same; then all of them are. */
  use(hashes: readonly string[]): number {
    const found = this.held(hashes)
    // The end first: of one prompt the beginning is worth most, as nothing behind a missing block counts.
    for (let at = hashes.length - 1; at >= 0; at -= 1) {
      const hash = hashes[at] ?? ''
      this.#blocks.delete(hash)
      this.#blocks.set(hash, true)
    }
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#capacity) break
      this.#blocks.delete(oldest)
    }
    return found
  }
}

export interface PrefixCacheOptions {
  /** Blocks that a worker has room for. */
  readonly cacheBlocks: number
  /** Tokens in a block. */
  readonly blockTokens: number
}

/**
 * As `replay` takes it when nobody says otherwise: blocks of 2 KiB, as records have them, and some 260,000 tokens, about
 * what a model of 8 billion parameters leaves of 80 GB.
 */
export const DEFAULT_PREFIX_CACHE: PrefixCacheOptions = { cacheBlocks: 512, blockTokens: 512 }

export interface PrefixTokens {
  readonly tokens: number
  readonly cached: number
}

/** The caches of a fleet under one configuration. */
export class PrefixCaches {
  readonly #options: PrefixCacheOptions
  readonly #workers = new Map<string, BlockCache>()
  #blocks = 0
  #found = 0

  constructor(options: PrefixCacheOptions) {
    this.#options = options
  }

  use(worker: string, hashes: readonly string[]): void {
    let cache = this.#workers.get(worker)
    if (cache === undefined) {
      cache = new BlockCache(this.#options.cacheBlocks)
      this.#workers.set(worker, cache)
    }
    this.#blocks += hashes.length
    this.#found += cache.use(hashes)
  }

  /** How many leading blocks each worker holds; those that hold none are not listed. Only looks. */
  held(hashes: readonly string[]): Map<string, number> {
    const found = new Map<string, number>()
    for (const [worker, cache] of this.#workers) {
      const blocks = cache.held(hashes)
      if (blocks > 0) found.set(worker, blocks)
    }
    return found
  }

  totals(): PrefixTokens {
    const { blockTokens } = this.#options
    return { tokens: this.#blocks * blockTokens, cached: this.#found * blockTokens }
  }
}
