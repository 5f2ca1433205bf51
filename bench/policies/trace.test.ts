// Arrivals and ceilings: what every figure of the bench is relative to.

import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ceilingOf } from './ceiling.ts'
import { atRate, DEFAULT_TRACES, parseTraceLine, readTrace, spreadArrivals, type TraceRequest } from './trace.ts'

function request(blocks: readonly number[], given: Partial<TraceRequest> = {}): TraceRequest {
  return { stampMs: 0, promptTokens: blocks.length * 512, outputTokens: 10, blocks, ...given }
}

test('a line of a trace', () => {
  expect(parseTraceLine('{"timestamp":3000,"input_length":600,"output_length":0,"hash_ids":[0,427]}')).toEqual({
    stampMs: 3_000,
    promptTokens: 600,
    outputTokens: 1,
    blocks: [0, 427],
  })
})

test('a trace that is not there says where it was looked for and how to name another place', () => {
  expect(() => readTrace('/nowhere', 'some_trace')).toThrow(/\/nowhere\/some_trace\.jsonl.*--traces/)
})

describe('arrivals', () => {
  const requests = [0, 0, 0, 0, 3_000, 9_000, 9_000].map((stampMs) => request([1], { stampMs }))

  test('equal stamps are spread over their step, in order, the same each time', () => {
    const arrivals = spreadArrivals(requests, 7)
    expect(arrivals).toEqual(spreadArrivals(requests, 7))
    expect(arrivals).not.toEqual(spreadArrivals(requests, 8))
    expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b))
    for (const [at, arrival] of arrivals.entries()) {
      expect(Math.floor(arrival / 3_000) * 3_000).toBe(requests[at]?.stampMs)
    }
    expect(new Set(arrivals).size).toBe(requests.length)
  })

  test('another rate stretches the time between them and nothing else', () => {
    const arrivals = atRate([1_000, 2_000, 5_000], 4)
    expect(arrivals).toEqual([0, 125, 500])
    expect(atRate([5], 4)).toEqual([0])
  })
})

describe('ceiling', () => {
  test('tokens count as far as a prefix is whole, blocks wherever they come again', () => {
    const { tokenShare, blockShare } = ceilingOf([
      request([1, 2, 3]),
      request([1, 2, 4]),
      // Block 3 came before, but behind another beginning: no cache of prefixes can use it.
      request([9, 3]),
      // The last block is cut.
      request([1, 2, 3], { promptTokens: 1_100 }),
    ])
    expect(blockShare).toBeCloseTo(6 / 11, 10)
    expect(tokenShare).toBeCloseTo((1_024 + 1_100) / (3 * 512 + 3 * 512 + 2 * 512 + 1_100), 10)
  })

  test('counts blocks as the published 36.64 % of the whole conversation trace does: repeats over references', () => {
    // 288,500 references to 182,790 blocks, in prompts of any length: a repeat is whatever is not the first.
    const references = Array.from({ length: 2_885 }, (_, at) => (at < 1_828 ? at : at - 1_828))
    expect(ceilingOf(references.map((block) => request([block]))).blockShare).toBeCloseTo(0.3664, 4)
  })

  test.skipIf(!existsSync(`${DEFAULT_TRACES}/conversation_trace_first_half.jsonl`))(
    'the first half of the conversation trace (skipped where the traces are not at hand)',
    () => {
      const { blockShare, tokenShare } = ceilingOf(readTrace(DEFAULT_TRACES, 'conversation_trace_first_half'))
      expect(blockShare).toBeCloseTo(0.3463, 4)
      expect(tokenShare).toBeCloseTo(0.3527, 4)
    },
  )
})
