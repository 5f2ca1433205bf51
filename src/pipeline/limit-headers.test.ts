import { expect, test } from 'vitest'
import { toDuration } from './limit-headers.ts'

test.each([
  [0, '0ms'],
  [0.2, '1ms'],
  [20, '20ms'],
  [999.5, '1000ms'],
  [1_000, '1s'],
  [1_001, '2s'],
  [59_999, '1m0s'],
  [360_000, '6m0s'],
  [61_000, '1m1s'],
  [3_600_000, '1h0m0s'],
  [90_061_000, '25h1m1s'],
])('%s ms are %s', (ms, text) => {
  expect(toDuration(ms)).toBe(text)
})
