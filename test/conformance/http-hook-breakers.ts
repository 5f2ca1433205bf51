// When a hook is left alone: whatever it fails with opens its breaker, under both settings of on_error.

import { expect, test } from 'vitest'
import { FAILURES_TO_OPEN } from '../../src/upstream/breaker.ts'
import { expectRefusal } from '../support/ask.ts'
import type { HookEntry, HookFleet } from './hook-fleet.ts'

const DEADLINE_MS = 300

/** Ways to fail, each with a hook of its own; what comes of one call is in http-hook-outcomes.ts. */
const FAILING = [
  { path: null, outcome: 'error' },
  { path: '/reset', outcome: 'error' },
  { path: '/stalled-body', outcome: 'timeout', timeout_ms: 120 },
  { path: '/status-500', outcome: 'error' },
  { path: '/status-404', outcome: 'error' },
  { path: '/redirect', outcome: 'error' },
  { path: '/not-json', outcome: 'error' },
  { path: '/no-action', outcome: 'error' },
  { path: '/unknown-action', outcome: 'unknown' },
  { path: '/oversized', outcome: 'error' },
  { path: '/transform-no-body', outcome: 'transform-no-body', transform: true },
  { path: '/transform-text', outcome: 'error', transform: true },
  { path: '/transform-unusable', outcome: 'error', transform: true },
  { path: '/transform', outcome: 'error', transform: true, send: 'metadata' },
].flatMap(({ outcome, ...entry }, index) =>
  (['pass', 'block'] as const).map((onError) => {
    return {
      outcome,
      onError,
      ...entry,
      entry: { name: `failing-${index + 1}-${onError}`, on_error: onError, ...entry },
    }
  }),
)

export const BREAKER_ENTRIES: readonly HookEntry[] = [
  { name: 'hung', path: '/no-headers', timeout_ms: DEADLINE_MS },
  { name: 'hung-block', path: '/no-headers', timeout_ms: DEADLINE_MS, on_error: 'block' },
  { name: 'refusing', path: '/reject', on_error: 'block' },
  { name: 'meddling', path: '/transform-no-body' },
  ...FAILING.map(({ entry }) => entry),
]

export function openBreakers(bench: HookFleet): void {
  test.each(['hung', 'hung-block'])('to a dead hook cost nothing once its breaker is open: %s', async (model) => {
    const failing = Array.from({ length: FAILURES_TO_OPEN }, () => bench.chat(model))
    for (const answer of await Promise.all(failing)) {
      expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${model}:timeout`)
    }
    const startedAtMs = performance.now()
    for (let count = 0; count < 3; count++) await expectSkipped(bench, model, model === 'hung' ? 'pass' : 'block')
    expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS)
  })

  test.each(FAILING)('open the breaker whatever fails: $path $outcome, on_error: $onError', async (failing) => {
    const { name } = failing.entry
    for (let count = 0; count < FAILURES_TO_OPEN; count++) {
      const answer = await bench.chat(name)
      expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${name}:${failing.outcome}`)
      expect(answer.status, answer.text).toBe(failing.onError === 'pass' ? 200 : 502)
    }
    await expectSkipped(bench, name, failing.onError)
  })

  test.each(['refusing', 'meddling'])('that say what they do not like leave it closed: %s', async (model) => {
    for (let count = 0; count <= FAILURES_TO_OPEN; count++) {
      const answer = await bench.chat(model)
      expect(answer.headers.get('x-vllm-router-hooks')).not.toContain('open')
      expect(bench.callsOf(answer.id)).toHaveLength(1)
    }
  })
}

/** A request that the hook is not asked about: the operator's setting decides what that means. */
async function expectSkipped(bench: HookFleet, model: string, onError: 'pass' | 'block'): Promise<void> {
  const answer = await bench.chat(model)
  expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${model}:open`)
  expect(bench.callsOf(answer.id)).toEqual([])
  if (onError === 'pass') expect(answer.status, answer.text).toBe(200)
  else expectRefusal(answer, 'hook_failed')
}
