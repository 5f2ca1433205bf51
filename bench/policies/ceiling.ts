// What one cache without bounds would find of a trace: no router and no fleet can find more.

import { TRACE_BLOCK_TOKENS, type TraceRequest } from './trace.ts'

export interface Ceiling {
  /** Share of the prompts' tokens that stood at the beginning of an earlier prompt. */
  readonly tokenShare: number
  /** Share of the blocks that came before, as published for the whole conversation trace: 36.64 %. */
  readonly blockShare: number
  readonly promptTokens: number
}

/** Counts each prompt against all before it. */
export function ceilingOf(requests: readonly TraceRequest[]): Ceiling {
  const seen = new Set<number>()
  let blocks = 0
  let repeatedBlocks = 0
  let promptTokens = 0
  let cachedTokens = 0
  for (const request of requests) {
    blocks += request.blocks.length
    promptTokens += request.promptTokens
    let leading = 0
    for (const [at, block] of request.blocks.entries()) {
      if (!seen.has(block)) {
        seen.add(block)
        continue
      }
      repeatedBlocks += 1
      if (leading === at) leading += 1
    }
    cachedTokens += Math.min(leading * TRACE_BLOCK_TOKENS, request.promptTokens)
  }
  return { tokenShare: ratio(cachedTokens, promptTokens), blockShare: ratio(repeatedBlocks, blocks), promptTokens }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
