import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LatencyHistogram } from './latency.ts'

function summaryOf(values: readonly number[]) {
  const histogram = new LatencyHistogram()
  for (const value of values) histogram.add(value)
  return histogram.summary()
}

test('nothing has no percentiles', () => {
  expect(summaryOf([])).toEqual({ count: 0, p50: null, p90: null, p99: null, histogram: [] })
})

test('milliseconds below 128 are exact', () => {
  const summary = summaryOf(Array.from({ length: 100 }, (_, at) => at))
  expect(summary).toMatchObject({ count: 100, p50: 50, p90: 90, p99: 99 })
  expect(summary.histogram[0]).toEqual([0, 1])
})

test('percentiles are within a hundredth of the true ones, and counts add up', () => {
  const values = fc.array(fc.nat(10_000_000), { minLength: 1, maxLength: 200 })
  const property = fc.property(values, (list) => {
    const sorted = list.toSorted((one, other) => one - other)
    const summary = summaryOf(list)
    for (const [part, found] of [
      [0.5, summary.p50],
      [0.9, summary.p90],
      [0.99, summary.p99],
    ] as const) {
      const exact = sorted[Math.floor(part * sorted.length)] ?? 0
      expect(found).toBeGreaterThanOrEqual(exact)
      expect(found).toBeLessThanOrEqual(exact * 1.01)
    }
    expect(summary.histogram.reduce((sum, [, count]) => sum + count, 0)).toBe(list.length)
  })
  fc.assert(property)
})
