// Mooncake traces: who asked when, how much of it was there before, and when it all arrives at another pace.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createRandom } from '../../src/simulator/random.ts'

/** Tokens of a block of the traces. */
export const TRACE_BLOCK_TOKENS = 512

/** Stamps are multiples of this: what is written as one instant came at any time until the next. */
const STAMP_STEP_MS = 3_000

export interface TraceRequest {
  readonly stampMs: number
  readonly promptTokens: number
  readonly outputTokens: number
  /** One id for each block of the prompt; equal ids mean equal prefixes up to there. */
  readonly blocks: readonly number[]
}

/** Where the traces are unless told: beside the repository. */
export const DEFAULT_TRACES = fileURLToPath(new URL('../../../shared/data/mooncake', import.meta.url))

/** Reads `<directory>/<name>.jsonl`, at most `limit` requests of it. */
export function readTrace(directory: string, name: string, limit = Number.POSITIVE_INFINITY): readonly TraceRequest[] {
  const path = `${directory}/${name}.jsonl`
  if (!existsSync(path)) {
    throw new Error(`there is no trace ${path}: get it from kvcache-ai/Mooncake and name its folder with --traces`)
  }
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines
    .filter((line) => line !== '')
    .slice(0, limit)
    .map(parseTraceLine)
}

/** One line of a trace. */
export function parseTraceLine(line: string): TraceRequest {
  const parsed: { timestamp: number; input_length: number; output_length: number; hash_ids: number[] } =
    JSON.parse(line)
  return {
    stampMs: parsed.timestamp,
    promptTokens: parsed.input_length,
    // A prefill answers with one token at least.
    outputTokens: Math.max(1, parsed.output_length),
    blocks: parsed.hash_ids,
  }
}

/** When each request comes, in milliseconds: equal stamps are spread over their step, in the order of the trace. */
export function spreadArrivals(requests: readonly TraceRequest[], seed: number): readonly number[] {
  const random = createRandom(seed)
  const arrivals: number[] = []
  for (let start = 0; start < requests.length;) {
    const stampMs = requests[start]?.stampMs ?? 0
    let end = start
    while (requests[end]?.stampMs === stampMs) end += 1
    const offsets = Array.from({ length: end - start }, () => random() * STAMP_STEP_MS).toSorted((a, b) => a - b)
    for (const offset of offsets) arrivals.push(stampMs + offset)
    start = end
  }
  return arrivals
}

/** The same arrivals, faster or slower, so that they come `perSecond` on average. They begin at 0. */
export function atRate(arrivals: readonly number[], perSecond: number): readonly number[] {
  const first = arrivals[0] ?? 0
  const spanMs = (arrivals.at(-1) ?? 0) - first
  if (spanMs === 0) return arrivals.map(() => 0)
  const factor = ((arrivals.length - 1) * 1_000) / perSecond / spanMs
  return arrivals.map((at) => (at - first) * factor)
}
