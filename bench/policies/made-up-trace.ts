// A trace made up for tests: conversations that begin with the same system prompt, in an order that mixes them.

import { createRandom } from '../../src/simulator/random.ts'
import type { TraceRequest } from './trace.ts'

/** Four turns a conversation on average, each two blocks longer than the last. */
export function conversations(count: number, seed: number): readonly TraceRequest[] {
  const random = createRandom(seed)
  let block = 1
  const open = Array.from({ length: count }, () => [0, block++, block++])
  return Array.from({ length: count * 4 }, (_, at) => {
    const blocks = open[Math.floor(random() * count)] ?? []
    blocks.push(block++, block++)
    const promptTokens = blocks.length * 512 - Math.floor(random() * 500)
    return { stampMs: at * 100, promptTokens, outputTokens: 20 + Math.floor(random() * 60), blocks: [...blocks] }
  })
}

/** As a line of a trace's file. */
export function toTraceLine({ stampMs, promptTokens, outputTokens, blocks }: TraceRequest): string {
  return JSON.stringify({
    timestamp: Math.floor(stampMs / 3_000) * 3_000,
    input_length: promptTokens,
    output_length: outputTokens,
    hash_ids: blocks,
  })
}
