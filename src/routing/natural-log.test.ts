// The logarithm agrees with the engine's own to a few units of the last place.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { naturalLog } from './natural-log.ts'

function relativeError(x: number): number {
  const exact = Math.log(x)
  return exact === 0 ? Math.abs(naturalLog(x)) : Math.abs((naturalLog(x) - exact) / exact)
}

test('within four units of the last place, for every positive double', () => {
  const positive = fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true })
  const property = fc.property(positive, (x) => {
    expect(relativeError(x)).toBeLessThan(4 * Number.EPSILON)
  })
  fc.assert(property, { numRuns: 5_000 })
})

test('the same close to 1 and over the places that hashes give', () => {
  for (let at = 1; at <= 10_000; at += 1) {
    for (const x of [at / 10_001, 1 - at * 1e-12, 1 + at * 1e-12]) {
      expect(relativeError(x)).toBeLessThan(4 * Number.EPSILON)
    }
  }
})

test('0 at 1, and no number for what has no logarithm', () => {
  expect(naturalLog(1)).toBe(0)
  expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((x) => naturalLog(x))).toEqual([NaN, NaN, NaN, NaN])
})

test('these values, on every engine', () => {
  expect([0.1, 0.3, 0.9].map((x) => naturalLog(x))).toEqual([
    -2.3025850929940455, -1.203972804325936, -0.10536051565782627,
  ])
  expect([1e-9, 12345.678].map((x) => naturalLog(x))).toEqual([-20.72326583694641, 9.421061321291832])
})
