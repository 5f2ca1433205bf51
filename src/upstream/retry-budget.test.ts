import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

const OPTIONS = { ratio: 0.2, windowMs: 10_000, minExtra: 3 }

describe('RetryBudget', () => {
  test('lets a quiet router retry a few times', () => {
    const budget = new RetryBudget(OPTIONS, () => 0)
    expect([budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([true, true, true, false])
  })

  test('says whether there is room, and takes nothing by that', () => {
    const budget = new RetryBudget(OPTIONS, () => 0)
    expect([budget.hasRoom(), budget.hasRoom(), budget.take(), budget.take(), budget.hasRoom()]).toEqual(
      Array.from({ length: 5 }, () => true),
    )
    expect([budget.take(), budget.hasRoom(), budget.take()]).toEqual([true, false, false])
  })

  test('grows with the requests of the window', () => {
    const budget = new RetryBudget(OPTIONS, () => 0)
    for (let request = 0; request < 100; request += 1) budget.noteRequest()
    let taken = 0
    while (budget.take()) taken += 1
    expect(taken).toBe(20)
  })

  test('forgets what is older than the window', () => {
    let nowMs = 0
    const budget = new RetryBudget(OPTIONS, () => nowMs)
    for (let request = 0; request < 100; request += 1) budget.noteRequest()
    nowMs = 10_000
    expect([budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([true, true, true, false])
  })

  test('never allows more than its share over any window, however requests and failures come', () => {
    const event = fc.record({ afterMs: fc.integer({ min: 0, max: 900 }), isRetry: fc.boolean() })
    const property = fc.property(fc.array(event, { maxLength: 400 }), (events) => {
      let nowMs = 0
      const budget = new RetryBudget(OPTIONS, () => nowMs)
      const requests: number[] = []
      const retries: number[] = []
      for (const { afterMs, isRetry } of events) {
        nowMs += afterMs
        if (!isRetry) {
          budget.noteRequest()
          requests.push(nowMs)
        } else if (budget.take()) {
          retries.push(nowMs)
          // The slices round the window down to nine tenths at worst; requests are counted over the whole of it.
          const since = nowMs - 0.9 * OPTIONS.windowMs
          const recent = retries.filter((atMs) => atMs > since).length
          const base = requests.filter((atMs) => atMs > nowMs - OPTIONS.windowMs).length
          expect(recent).toBeLessThanOrEqual(Math.max(OPTIONS.minExtra, OPTIONS.ratio * base))
        }
      }
    })
    fc.assert(property, { numRuns: 300 })
  })
})
