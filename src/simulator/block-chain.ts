// Hashes of the blocks of one sequence, 16 tokens each unless told,, each chained to the one before it, so that equal hashes mean equal
// prefixes. Model, adapter and salt open the chain: what must not share a cache can't meet in it.

import { hashText, mix } from './random.ts'

/** vLLM's block size on CUDA. */
export const BLOCK_TOKENS = 16

/** Takes tokens one by one and gives a hash whenever a block is full. */
export class BlockChain {
  // Two independent halves: 32 bits would collide within a day's traffic.
  #left: number
  #right: number
  readonly #blockTokens: number
  #fill = 0

  constructor(cacheKey: string, blockTokens: number = BLOCK_TOKENS) {
    this.#blockTokens = blockTokens
    this.#left = hashText(cacheKey, 1)
    this.#right = hashText(cacheKey, 2)
  }

  /** The hash of the block that this token completes; null while it is not full. */
  push(token: number): number | null {
    // The low word alone would fold ids of 2^32 apart; ids stay below that (see tokenizer.ts).
    this.#left = mix(this.#left, token | 0)
    this.#right = mix(this.#right + 0x9e3779b9, token | 0)
    if (++this.#fill < this.#blockTokens) return null
    this.#fill = 0
    // 53 bits, the widest integer that a number holds exactly.
    return (this.#left >>> 0) * 2_097_152 + (this.#right >>> 11)
  }

  /** Hashes of all blocks that these tokens fill. */
  pushAll(tokens: Iterable<number>): number[] {
    const hashes: number[] = []
    for (const token of tokens) {
      const hash = this.push(token)
      if (hash !== null) hashes.push(hash)
    }
    return hashes
  }
}
