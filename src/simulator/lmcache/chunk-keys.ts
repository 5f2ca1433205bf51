// Keys of LMCache's chunks. Chained like blocks, but of content alone: two models that share a tokenizer share keys, as
// they do in LMCache.

import { BLOCK_TOKENS, BlockChain } from '../block-chain.ts'

/** LMCache's default; its controller can't be told another. */
export const CHUNK_TOKENS = 256

const BLOCKS_PER_CHUNK = CHUNK_TOKENS / BLOCK_TOKENS

/** What workers begin their hashes with. */
export const WORKERS_SEED = ''

/**
 * Keys of the whole chunks that these tokens fill from their beginning; what is left over has none. With another `seed`
 * than the workers' they are keys that nobody has, as under another PYTHONHASHSEED.
 */
export function chunkKeysOf(tokens: readonly number[], seed = WORKERS_SEED): number[] {
  return new BlockChain(seed).pushAll(tokens).filter((_, index) => (index + 1) % BLOCKS_PER_CHUNK === 0)
}

/** The same for a sequence that grows: keys come one after the other, and no token is hashed twice. */
export class ChunkKeys {
  readonly #chain = new BlockChain(WORKERS_SEED)
  readonly #keys: number[] = []

  /** The key of one chunk, by number; `tokenAt` is asked for the tokens up to its end that are not known yet. */
  keyOf(chunk: number, tokenAt: (at: number) => number): number {
    while (this.#keys.length <= chunk) {
      const start = this.#keys.length * CHUNK_TOKENS
      let key = 0
      for (let at = start; at < start + CHUNK_TOKENS; at++) key = this.#chain.push(tokenAt(at)) ?? key
      this.#keys.push(key)
    }
    return this.#keys[chunk] ?? 0
  }
}
