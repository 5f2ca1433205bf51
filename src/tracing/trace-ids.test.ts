// Ids are as long as they must be, and say by themselves how their trace was sampled.

import { expect, test } from 'vitest'
import { drawBits, toSpanId, toTraceId } from './trace-ids.ts'

test('are hexadecimal digits, with leading zeros', () => {
  expect(toTraceId(0, () => 0)).toBe('0'.repeat(32))
  expect(toSpanId(() => 0)).toBe('0'.repeat(16))
  expect(toTraceId(2 ** 32 - 1, () => 1 - 2 ** -53)).toBe('f'.repeat(32))
  expect(toSpanId(() => 0.5)).toBe('8000000080000000')
})

test('have the bits that sampling went by where those who sample by the id look', () => {
  const id = toTraceId(0x89abcdef, () => 0)
  expect(id.slice(-14, -6)).toBe('89abcdef')
  expect(id.replace('89abcdef', '')).toBe('0'.repeat(24))
})

test('differ', () => {
  const ids = Array.from({ length: 10_000 }, () => toTraceId(drawBits(Math.random), Math.random))
  expect(new Set(ids).size).toBe(ids.length)
})
