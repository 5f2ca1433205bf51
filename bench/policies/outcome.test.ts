// The figures of a run, from outcomes made up so that they are known.

import { describe, expect, test } from 'vitest'
import { figuresOf, imbalanceOf, type Outcome, percentileOf } from './outcome.ts'

function outcome(given: Partial<Outcome> = {}): Outcome {
  const tokens = { promptTokens: 1_000, cachedTokens: 200 }
  return { worker: 0, ...tokens, firstTokenMs: 100, betweenTokensMs: 10, lookups: 0, lookupMs: 0, ...given }
}

test('percentiles are values that were seen', () => {
  const values = Array.from({ length: 100 }, (_, at) => at + 1)
  expect([0, 0.5, 0.9, 0.99, 1].map((part) => percentileOf(values, part))).toEqual([1, 50, 90, 99, 100])
  expect(percentileOf([7], 0.5)).toBe(7)
  expect(percentileOf([], 0.5)).toBeNaN()
})

test('imbalance is of what was computed, not of what was asked', () => {
  const even = [outcome({ worker: 0 }), outcome({ worker: 1 })]
  expect(imbalanceOf(even, 2)).toBe(1)
  expect(imbalanceOf([...even, outcome({ worker: 1, cachedTokens: 1_000 })], 2)).toBe(1)
  expect(imbalanceOf([outcome({ worker: 1 })], 4)).toBe(4)
  expect(imbalanceOf([], 4)).toBe(1)
})

describe('figures', () => {
  test('hits in tokens, also as a share of the ceiling', () => {
    const { hitShare, ofCeiling } = figuresOf(
      [outcome(), outcome({ promptTokens: 3_000, cachedTokens: 1_800 })],
      2,
      0.8,
    )
    expect(hitShare).toBe(0.5)
    expect(ofCeiling).toBe(0.625)
  })

  test('good is who keeps both limits; who was refused is not', () => {
    const outcomes = [
      outcome({ firstTokenMs: 2_000, betweenTokensMs: 25 }),
      outcome({ firstTokenMs: 2_001 }),
      outcome({ betweenTokensMs: 26 }),
      outcome({ worker: null, promptTokens: 9_000, firstTokenMs: 0 }),
    ]
    const { goodShare, refusedShare, firstTokenP99Ms, hitShare } = figuresOf(outcomes, 1, 1)
    expect({ goodShare, refusedShare, firstTokenP99Ms, hitShare }).toEqual({
      goodShare: 0.25,
      refusedShare: 0.25,
      firstTokenP99Ms: 2_001,
      hitShare: 0.2,
    })
  })

  test('lookups are for each request', () => {
    const { lookupsPerRequest, lookupMs } = figuresOf([outcome({ lookups: 1, lookupMs: 30 }), outcome()], 1, 1)
    expect({ lookupsPerRequest, lookupMs }).toEqual({ lookupsPerRequest: 0.5, lookupMs: 15 })
  })
})
