// The generator is even, repeatable, and the same on every engine.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomFrom } from './random.ts'

/** Sum of squared deviations over the expected count; about `counts.length - 1` when even. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

function histogram(draws: number, draw: (at: number) => number): number[] {
  const counts = Array.from({ length: 100 }, () => 0)
  for (let at = 0; at < draws; at += 1) {
    const bucket = Math.floor(draw(at) * 100)
    counts[bucket] = (counts[bucket] ?? 0) + 1
  }
  return counts
}

describe('randomFrom', () => {
  test('these numbers, on every engine', () => {
    const next = randomFrom(42)
    expect([next(), next(), next()].map((value) => value * 0x1_0000_0000)).toEqual([1849552023, 4223452576, 118919111])
  })

  test('the same seed gives the same numbers, all in [0, 1)', () => {
    const property = fc.property(fc.maxSafeNat(), (seed) => {
      const [one, other] = [randomFrom(seed), randomFrom(seed)]
      for (let at = 0; at < 20; at += 1) {
        const value = one()
        expect(value).toBe(other())
        expect(value >= 0 && value < 1).toBe(true)
      }
    })
    fc.assert(property)
  })

  // 99 degrees of freedom: above 160 once in ten thousand.
  test('even along one seed', () => {
    const next = randomFrom(1)
    expect(chiSquare(histogram(100_000, next))).toBeLessThan(160)
  })

  test.each([1, 2, 3])('even over neighbouring seeds, draw %i', (draws) => {
    const nth = (seed: number): number => {
      const next = randomFrom(seed)
      for (let at = 1; at < draws; at += 1) next()
      return next()
    }
    expect(chiSquare(histogram(100_000, nth))).toBeLessThan(160)
  })

  test('seeds beyond 32 bits differ from their lower half', () => {
    expect(randomFrom(0x1_0000_0000 + 7)()).not.toBe(randomFrom(7)())
  })
})
