import { describe, expect, test } from 'vitest'
import type { RetryConfig } from '../config/config.ts'
import { backoffMs, classifyStatus, type FailureClass, mayRetry, retryAfterMs, spendsBudget } from './retry.ts'

const CONFIG: RetryConfig = {
  maxRetries: 2,
  initialBackoffMs: 100,
  maxBackoffMs: 250,
  backoffMultiplier: 2,
  jitterFactor: 0.2,
  statuses: [429, 503],
  statusesOnce: [502, 504],
  gate: 'off',
  budget: { ratio: 0.2, windowMs: 10_000, minRetries: 10 },
}

describe('classifyStatus', () => {
  test.each([
    [200, null],
    [204, null],
    [400, null],
    [401, null],
    [404, null],
    [422, null],
    [429, 'declined'],
    [500, 'failed'],
    [501, 'failed'],
    [502, 'maybe_sent'],
    [503, 'declined'],
    [504, 'maybe_sent'],
  ] as const)('%i is %s', (status, expected) => {
    expect(classifyStatus(status, CONFIG)).toBe(expected)
  })

  test('a configured status is what the configuration makes of it', () => {
    expect(classifyStatus(500, { ...CONFIG, statuses: [500] })).toBe('declined')
  })
})

describe('mayRetry', () => {
  test.each([
    ['not_sent', 1, 0, true],
    ['not_sent', 2, 0, true],
    ['not_sent', 30, 1, true],
    ['declined', 2, 0, true],
    ['declined', 3, 0, false],
    ['maybe_sent', 1, 0, true],
    ['maybe_sent', 2, 1, false],
    ['failed', 1, 0, false],
    ['final', 1, 0, false],
  ] as const)('%s after %i attempts and %i repeats: %s', (failure: FailureClass, attempts, repeats, expected) => {
    expect(mayRetry(failure, { attempts, repeats }, CONFIG)).toBe(expected)
  })

  test('max_retries 0 allows none', () => {
    expect(mayRetry('not_sent', { attempts: 1, repeats: 0 }, { ...CONFIG, maxRetries: 0 })).toBe(false)
  })
})

test('what was surely not sent is free', () => {
  expect(spendsBudget('not_sent')).toBe(false)
  expect(spendsBudget('declined')).toBe(true)
})

describe('backoffMs', () => {
  const middle = () => 0.5

  test('doubles up to its cap', () => {
    expect([1, 2, 3, 4].map((attempts) => backoffMs('declined', attempts, CONFIG, middle))).toEqual([
      100, 200, 250, 250,
    ])
  })

  test('jitters in both directions', () => {
    expect(backoffMs('declined', 1, CONFIG, () => 0)).toBe(80)
    expect(backoffMs('declined', 1, CONFIG, () => 1)).toBe(120)
  })

  test('replaces a worker that was never reached at once', () => {
    expect(backoffMs('not_sent', 1, CONFIG, middle)).toBe(0)
  })
})

describe('retryAfterMs', () => {
  const nowMs = Date.parse('2026-11-21T00:00:00Z')
  test.each([
    ['3', 3_000],
    ['0', 0],
    ['100000', 60_000],
    ['Sat, 21 Nov 2026 00:00:05 GMT', 5_000],
    ['Sat, 21 Nov 2020 00:00:05 GMT', 0],
    ['soon', 0],
    ['-1', 0],
    ['', 0],
  ])('%s asks for %i ms', (value, expected) => {
    expect(retryAfterMs(new Headers(value === '' ? {} : { 'retry-after': value }), nowMs)).toBe(expected)
  })
})
