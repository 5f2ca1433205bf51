// What becomes of a request for every outcome of a hook and every setting of its entry: answer, headers, record, and
// what the worker gets.

import { describe, expect, test } from 'vitest'
import { HOOK_OUTCOMES } from '../../src/pipeline/hook-outcomes.ts'
import { type Answered, expectAnthropicRefusal, expectRefusal } from '../support/ask.ts'
import { MASKED_FIELDS } from '../support/hook-server.ts'
import type { RuntimeName } from '../support/launch.ts'
import { type HookEntry, type HookFleet, hookFleet } from './hook-fleet.ts'

interface OutcomeCase {
  /** What the hook does; null when nobody listens. */
  readonly path: string | null
  readonly options?: Readonly<Record<string, unknown>>
  readonly outcome: (typeof HOOK_OUTCOMES)[number]
  /** Null when the request goes on. */
  readonly refusal?: 'hook_rejected' | 'hook_rejected_request' | 'hook_failed'
  readonly isMasked?: boolean
}

const BLOCK = { on_error: 'block' }
const TRANSFORM = { transform: true }
/** For hooks that never finish; everything else may take its time on a busy machine. */
const SOON = { timeout_ms: 120 }

const ANSWERS: readonly OutcomeCase[] = [
  { path: '/allow', outcome: 'allow' },
  { path: '/allow', options: { ...BLOCK, ...TRANSFORM }, outcome: 'allow' },
  { path: '/allow', options: { send: 'metadata' }, outcome: 'allow' },
  { path: '/reject', outcome: 'rejected', refusal: 'hook_rejected' },
  { path: '/reject', options: { on_reject: 'block403' }, outcome: 'rejected', refusal: 'hook_rejected' },
  { path: '/reject', options: { on_reject: 'block400' }, outcome: 'rejected', refusal: 'hook_rejected_request' },
  { path: '/reject', options: { on_reject: 'pass' }, outcome: 'rejected-ignored' },
  { path: '/reject', options: { on_reject: 'pass', ...BLOCK }, outcome: 'rejected-ignored' },
  {
    path: '/reject',
    options: { on_reject: 'block400', ...BLOCK },
    outcome: 'rejected',
    refusal: 'hook_rejected_request',
  },
  { path: '/reject-silently', options: { expose_reason: true }, outcome: 'rejected', refusal: 'hook_rejected' },
  { path: '/transform', options: TRANSFORM, outcome: 'transformed', isMasked: true },
  { path: '/transform', options: { ...TRANSFORM, ...BLOCK }, outcome: 'transformed', isMasked: true },
  { path: '/transform', outcome: 'allow' },
  { path: '/transform', options: BLOCK, outcome: 'allow' },
  { path: '/transform-no-body', options: BLOCK, outcome: 'allow' },
  { path: '/transform-text', options: BLOCK, outcome: 'allow' },
]

/** Each passes with `on_error: pass` and blocks with `on_error: block`. */
const FAILURES: readonly OutcomeCase[] = [
  { path: '/transform-no-body', options: TRANSFORM, outcome: 'transform-no-body' },
  { path: '/transform-null', options: TRANSFORM, outcome: 'transform-no-body' },
  { path: '/transform-text', options: TRANSFORM, outcome: 'error' },
  { path: '/transform-unusable', options: TRANSFORM, outcome: 'error' },
  { path: '/transform', options: { ...TRANSFORM, send: 'metadata' }, outcome: 'error' },
  { path: '/unknown-action', outcome: 'unknown' },
  { path: '/no-headers', options: SOON, outcome: 'timeout' },
  { path: '/stalled-body', options: SOON, outcome: 'timeout' },
  { path: '/dripping-body', options: SOON, outcome: 'timeout' },
  { path: null, outcome: 'error' },
  { path: '/reset', outcome: 'error' },
  { path: '/cut', outcome: 'error' },
  { path: '/status-500', outcome: 'error' },
  { path: '/status-404', outcome: 'error' },
  { path: '/redirect', outcome: 'error' },
  { path: '/not-json', outcome: 'error' },
  { path: '/empty', outcome: 'error' },
  { path: '/no-content', outcome: 'error' },
  { path: '/array', outcome: 'error' },
  { path: '/no-action', outcome: 'error' },
  { path: '/action-of-wrong-type', outcome: 'error' },
  { path: '/oversized', outcome: 'error' },
  { path: '/endless', outcome: 'error' },
]

const CASES = [
  ...ANSWERS,
  ...FAILURES,
  ...FAILURES.map((failure) => ({
    ...failure,
    options: { ...failure.options, ...BLOCK },
    refusal: 'hook_failed' as const,
  })),
].map((row, index) => ({
  ...row,
  name: `case-${index + 1}`,
  what: `${row.path ?? 'refused'} ${JSON.stringify(row.options ?? {})} is ${row.outcome}`,
}))

const ENTRIES: readonly HookEntry[] = CASES.map(({ name, path, options }) => ({ name, path, ...options }))

export function hookOutcomes(runtime: RuntimeName): void {
  describe('every outcome', () => {
    const bench = hookFleet(runtime, ENTRIES)

    test('is in the table', () => {
      expect(new Set([...CASES.map(({ outcome }) => outcome), 'open'])).toEqual(new Set(HOOK_OUTCOMES))
    })

    test.each(CASES)('$what', async (row) => {
      const answer = await bench.chat(row.name)
      const entry = row.outcome === 'allow' ? row.name : `${row.name}:${row.outcome}`
      expect(answer.headers.get('x-vllm-router-hooks'), answer.text).toBe(entry)
      const record = await bench.fleet.router.record(({ request_id: id }) => id === answer.id)
      expect(record).toMatchObject({ hooks_ran: [entry], original_model: row.name, status: answer.status })
      expect(bench.callsOf(answer.id)).toHaveLength(row.path === null ? 0 : 1)
      if (row.refusal === undefined) expectPassed(bench, answer, row)
      else expectStopped(bench, answer, record, row)
    })

    test.each(CASES.filter(({ refusal }) => refusal !== undefined))("in Anthropic's shape: $what", async (row) => {
      const answer = await bench.chat(row.name, { route: '/v1/messages' })
      const types = {
        hook_rejected: 'permission_error',
        hook_rejected_request: 'invalid_request_error',
        hook_failed: 'api_error',
      }
      if (row.refusal !== undefined) expectAnthropicRefusal(answer, row.refusal, types[row.refusal])
    })

    test('a failing hook is in the log with its cause; its address and the prompt are not', async () => {
      const row = CASES.find(({ path, refusal }) => path === '/status-500' && refusal === undefined)
      const answer = await bench.chat(row?.name ?? '', { body: { messages: [{ role: 'user', content: 'my-secret' }] } })
      await bench.fleet.router.record(({ request_id: id }) => id === answer.id)
      const lines = bench.fleet.router.output().split('\n')
      const line = lines.find((text) => text.includes('"event":"hook_failed"') && text.includes(`"${answer.id}"`))
      expect(JSON.parse(line ?? '{}')).toMatchObject({ hook: row?.name, outcome: 'error', why: 'status 500' })
      expect(bench.fleet.router.output()).not.toMatch(/my-secret|\/status-500/)
    })
  })
}

interface Sent extends Answered {
  readonly id: string
  readonly sent: string
}

function expectPassed({ fleet }: HookFleet, answer: Sent, row: (typeof CASES)[number]): void {
  expect(answer.status, answer.text).toBe(200)
  expect(answer.headers.get('x-vllm-router-method')).toBe('policy')
  const body = row.isMasked === true ? `{"model":"${row.name}",${MASKED_FIELDS}}` : answer.sent
  expect(fleet.call(answer.id).body).toBe(body)
}

function expectStopped(
  bench: HookFleet,
  answer: Sent,
  record: Readonly<Record<string, unknown>>,
  { refusal, name }: (typeof CASES)[number],
): void {
  if (refusal !== undefined) expectRefusal(answer, refusal)
  expect(answer.text).not.toContain('rule 7')
  expect(answer.text).not.toContain(name)
  expect(answer.headers.get('x-vllm-router-method')).toBe('rejected')
  expect(answer.headers.get('x-vllm-router-attempts')).toBe('0')
  expect(answer.headers.get('x-vllm-router-decision-id')).toBe(record['decision_id'])
  expect(record).toMatchObject({ method: 'rejected', error: refusal, attempts: [] })
  expect(bench.reached(answer.id)).toBe(false)
}
