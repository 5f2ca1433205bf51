// Sampling: a share of the traces that begin here, and what their callers decided of all others.

import { expect, test } from 'vitest'
import { isSampled } from './sampling.ts'

const idOf = (random: string) => `${'f'.repeat(18)}${random}`

test('goes by the random part of the id, the same everywhere', () => {
  for (const [random, ratio, expected] of [
    ['00000000000000', 1, true],
    ['ffffffffffffff', 0, false],
    ['80000000000000', 0.5, true],
    ['7fffffffffffff', 0.5, false],
    ['ffffffffffffff', 0.000_001, true],
    ['f0000000000000', 0.05, false],
    ['f8000000000000', 0.05, true],
  ] as const) {
    expect(isSampled(idOf(random), null, ratio), `${random} at ${ratio}`).toBe(expected)
  }
})

test('takes about the share that is asked for', () => {
  let taken = 0
  for (let at = 0; at < 10_000; at += 1) {
    const random = ((BigInt(at) * 0x9e3779b97f4a7n) % 2n ** 56n).toString(16).padStart(14, '0')
    if (isSampled(idOf(random), null, 0.1)) taken += 1
  }
  expect(taken).toBeGreaterThan(900)
  expect(taken).toBeLessThan(1_100)
})

test('does as the caller decided', () => {
  const parent = { traceId: idOf('00000000000000'), spanId: 'b7ad6b7169203331' }
  expect(isSampled(parent.traceId, { ...parent, isSampled: true }, 0)).toBe(true)
  expect(isSampled(parent.traceId, { ...parent, isSampled: false }, 1)).toBe(false)
})
