// Keys of LMCache's chunks. Chained like blocks, but of content alone: two models that share a tokenizer share keys, as
// they do in LMCache.

import { BLOCK_TOKENS, BlockChain } from '../block-chain.ts'

/** LMCache's default; its controller can't be told another. */
export const CHUNK_TOKENS = 256

export const BLOCKS_PER_CHUNK = CHUNK_TOKENS / BLOCK_TOKENS

/** Keys of the whole chunks that these tokens fill from their beginning; what is left over has none. */
export function chunkKeysOf(tokens: readonly number[]): number[] {
  return new BlockChain('').pushAll(tokens).filter((_, index) => (index + 1) % BLOCKS_PER_CHUNK === 0)
}
