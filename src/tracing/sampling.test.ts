// Sampling: a share of the traces that begin here.

import { expect, test } from 'vitest'
import { isDrawn } from './sampling.ts'

test('goes by the random bits of the id', () => {
  for (const [draw, ratio, expected] of [
    [0x00000000, 1, true],
    [0xffffffff, 0, false],
    [0x80000000, 0.5, true],
    [0x7fffffff, 0.5, false],
    [0xffffffff, 0.000_001, true],
    [0xf0000000, 0.05, false],
    [0xf8000000, 0.05, true],
  ] as const) {
    expect(isDrawn(draw, ratio), `${draw.toString(16)} at ${ratio}`).toBe(expected)
  }
})

test('takes about the share that is asked for', () => {
  let taken = 0
  for (let at = 0; at < 10_000; at += 1) if (isDrawn(Math.imul(at, 0x9e3779b1) >>> 0, 0.1)) taken += 1
  expect(taken).toBeGreaterThan(900)
  expect(taken).toBeLessThan(1_100)
})
