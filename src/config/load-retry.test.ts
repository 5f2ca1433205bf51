// `retry`, `hedge` and `worker_display`: defaults, units, and what is said about values that can't be meant.

import { describe, expect, test } from 'vitest'
import { good as goodText, load as loadText } from '../../test/support/load-config.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

const load = (text: string) => loadText(ONE + text)

async function good(text: string) {
  const { config } = await goodText(ONE + text)
  return config
}

describe('retry', () => {
  test('has its defaults', async () => {
    expect(await good('')).toMatchObject({
      retry: {
        maxRetries: 2,
        initialBackoffMs: 50,
        maxBackoffMs: 1_000,
        backoffMultiplier: 1.5,
        jitterFactor: 0.2,
        statuses: [429, 503],
        statusesOnce: [502, 504],
        gate: 'off',
        budget: { ratio: 0.2, windowMs: 10_000, minRetries: 10 },
      },
      hedge: null,
      workerDisplay: 'auto',
    })
  })

  test('reads what operators write', async () => {
    const { retry } = await good(`retry:
  max_retries: 4
  initial_backoff_ms: 10
  max_backoff_ms: 200
  backoff_multiplier: 2
  jitter_factor: 0
  statuses: [408, 409, 425, 429, 501, 503, 503]
  statuses_once: [504]
  gate: first_event
  budget: {ratio: 0.5, window_secs: 2.5, min_retries: 0}
`)
    expect(retry).toEqual({
      maxRetries: 4,
      initialBackoffMs: 10,
      maxBackoffMs: 200,
      backoffMultiplier: 2,
      jitterFactor: 0,
      statuses: [408, 409, 425, 429, 501, 503],
      statusesOnce: [504],
      gate: 'first_event',
      budget: { ratio: 0.5, windowMs: 2_500, minRetries: 0 },
    })
  })

  test.each(['gate: off', 'gate: "off"'])('takes %s', async (gate) => {
    expect((await good(`retry: {${gate}}\n`)).retry.gate).toBe('off')
  })

  test('a status listed for all tries is not one for a single try', async () => {
    expect((await good('retry: {statuses: [502, 503]}\n')).retry).toMatchObject({
      statuses: [502, 503],
      statusesOnce: [504],
    })
  })

  test.each(['disable_retries: true', 'disable_retries: true\nretry: {max_retries: 5}', 'retry: {max_retries: 0}'])(
    '%j switches it off',
    async (text) => {
      expect((await good(`${text}\n`)).retry.maxRetries).toBe(0)
    },
  )

  test.each([
    ['retry: {max_retries: -1}', 'retry.max_retries', /from 0 to 10/],
    ['retry: {max_retries: 11}', 'retry.max_retries', /from 0 to 10/],
    ['retry: {max_retrys: 1}', 'retry.max_retrys', /did you mean max_retries\?/],
    ['retry: {backoff_multiplier: 0.5}', 'retry.backoff_multiplier', /at least 1/],
    ['retry: {jitter_factor: 1.1}', 'retry.jitter_factor', /from 0 to 1/],
    ['retry: {statuses: [200]}', 'retry.statuses[0]', /from 500 to 599, or 408, 409, 425 or 429/],
    ['retry: {statuses: [301]}', 'retry.statuses[0]', /from 500 to 599/],
    ['retry: {statuses: [404]}', 'retry.statuses[0]', /the caller's own/],
    ['retry: {statuses: [600]}', 'retry.statuses[0]', /from 500 to 599/],
    ['retry: {statuses_once: [400]}', 'retry.statuses_once[0]', /from 500 to 599/],
    ['retry: {statuses: 503}', 'retry.statuses', /must be a list/],
    ['retry: {gate: first_byte}', 'retry.gate', /one of off, first_event/],
    ['retry: {budget: {ratio: 20}}', 'retry.budget.ratio', /0\.2 for 20 %/],
    ['retry: {budget: {window_secs: 0}}', 'retry.budget.window_secs', /above zero/],
    ['hedge: {max_share: 0.1}', 'hedge.after_ms', /is missing/],
    ['hedge: {after_ms: 0}', 'hedge.after_ms', /from 1 to/],
    ['hedge: {after_ms: 100, max_share: 0}', 'hedge.max_share', /0\.05 for 5 %/],
    ['hedge: true', 'hedge', /must be a map such as/],
    ['worker_display: name', 'worker_display', /one of auto, url, id, hash/],
  ])('%s is an error', async (text, path, message) => {
    const { ok, findings } = await load(`${text}\n`)
    expect(ok).toBe(false)
    expect(findings).toMatchObject([{ severity: 'error', path, line: 2 }])
    expect(findings[0]?.message).toMatch(message)
  })

  test.each([
    ['retry: {statuses: [429, 500]}', 'retry.statuses[1]', /is dangerous/],
    ['retry: {statuses_once: [500]}', 'retry.statuses_once[0]', /is dangerous/],
    ['retry: {statuses: [502], statuses_once: [502]}', 'retry.statuses_once[0]', /has no effect/],
    ['retry: {initial_backoff_ms: 500, max_backoff_ms: 100}', 'retry.initial_backoff_ms', /longer than/],
  ])('%s is a warning', async (text, path, message) => {
    const { ok, findings } = await load(`${text}\n`)
    expect(ok).toBe(true)
    expect(findings).toMatchObject([{ severity: 'warning', path }])
    expect(findings[0]?.message).toMatch(message)
  })
})

test('hedge reads its figures', async () => {
  expect((await good('hedge: {after_ms: 2000}\n')).hedge).toEqual({ afterMs: 2_000, maxShare: 0.05 })
  expect((await good('hedge: {after_ms: 1, max_share: 1}\n')).hedge).toEqual({ afterMs: 1, maxShare: 1 })
})

test.each(['auto', 'url', 'id', 'hash'])('worker_display: %s', async (display) => {
  expect((await good(`worker_display: ${display}\n`)).workerDisplay).toBe(display)
})
