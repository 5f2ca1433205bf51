// The fault table: hooks that fail. Case, model and hook share a name.

import { expect } from 'vitest'
import { ask, audioForm, expectRefusal } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { INFERENCE_ROUTES } from '../../src/routes/catalogue.ts'
import { type FaultRow } from './fault-row.ts'
import { type HookFleet, hookFleet } from './hook-fleet.ts'

const BLOCK = { on_error: 'block' }
const PASS = { on_error: 'pass' }
const TIMEOUT_MS = 300
const SOON = { timeout_ms: TIMEOUT_MS }

/** What a hook may answer that is no answer. */
const NONSENSE = [
  'not-json',
  'unknown-action',
  'array',
  'empty',
  'oversized',
  'endless',
  'cut',
  'transform-text',
] as const

const ENTRIES = [
  ...[BLOCK, PASS].flatMap((onError) => {
    const ending = onError.on_error
    return [
      { name: `gone-${ending}`, path: null, ...onError },
      { name: `silent-${ending}`, path: '/no-headers', ...SOON, ...onError },
      { name: `stalled-${ending}`, path: '/stalled-body', ...SOON, ...onError },
      { name: `dripping-${ending}`, path: '/dripping-body', ...SOON, ...onError },
      ...NONSENSE.map((name) => ({ name: `${name}-${ending}`, path: `/${name}`, transform: true, ...onError })),
    ]
  }),
  { name: 'no', path: '/reject' },
]

export function serviceBench(runtime: RuntimeName): HookFleet {
  // One hook fails on purpose, case after case; what they come to is a breaker's, and another suite's.
  return hookFleet(runtime, ENTRIES, { log_level: 'info' })
}

/** Refused where the hook's entry says `block`, served where it says `pass`, and the record says how it failed. */
async function expectFailure(bench: HookFleet, name: string, outcomes: RegExp): Promise<void> {
  const blocked = await bench.chat(`${name}-block`)
  expectRefusal(blocked, 'hook_failed')
  expect(bench.reached(blocked.id)).toBe(false)
  const passed = await bench.chat(`${name}-pass`)
  expect(passed.status, passed.text).toBe(200)
  expect(bench.reached(passed.id)).toBe(true)
  for (const [{ id }, model] of [
    [blocked, `${name}-block`],
    [passed, `${name}-pass`],
  ] as const) {
    const record = await bench.fleet.router.record((each) => each['request_id'] === id)
    expect(record['hooks_ran']).toEqual([expect.stringMatching(new RegExp(`^${model}:(?:${outcomes.source})$`))])
  }
}

async function expectInTime(bench: HookFleet, name: string): Promise<void> {
  const begunAtMs = performance.now()
  await expectFailure(bench, name, /timeout/)
  // Two requests, each with its deadline, on a machine that may be busy.
  expect(performance.now() - begunAtMs).toBeGreaterThan(2 * TIMEOUT_MS - 50)
  expect(performance.now() - begunAtMs).toBeLessThan(2 * TIMEOUT_MS + 5_000)
}

async function everyRoute(bench: HookFleet): Promise<void> {
  for (const { path, body } of INFERENCE_ROUTES) {
    const fields = {
      model: 'no',
      messages: [],
      prompt: 'x',
      input: 'x',
      query: 'x',
      documents: ['x'],
      text_1: 'x',
      text_2: 'y',
    }
    const id = bench.nextId()
    const json = { headers: { 'content-type': 'application/json', 'x-request-id': id }, body: JSON.stringify(fields) }
    const form = { headers: { 'x-request-id': id }, body: audioForm('no') }
    const answer = await ask(bench.fleet.url + path, { method: 'POST', ...(body === 'json' ? json : form) })
    expect([path, answer.status], answer.text).toEqual([path, 403])
    expect([path, bench.callsOf(id).length, bench.reached(id)]).toEqual([path, 1, false])
  }
}

const BY_POLICY = {
  client: '502 `hook_failed` with `on_error: block`; served with `on_error: pass`',
  retried: '–',
  breaker: "nothing of a worker's; the hook has one of its own",
} as const

export const SERVICE_ROWS: readonly FaultRow<HookFleet>[] = [
  {
    id: 'F44',
    fault: 'nobody listens at the address of a hook',
    record: '`hooks_ran`: `error`',
    ...BY_POLICY,
    prove: (bench) => expectFailure(bench, 'gone', /error/),
  },
  {
    id: 'F44',
    fault: 'a hook takes the question and does not answer',
    record: '`hooks_ran`: `timeout`',
    ...BY_POLICY,
    prove: (bench) => expectInTime(bench, 'silent'),
  },
  {
    id: 'F45',
    fault: 'a hook sends headers and then nothing more',
    record: '`hooks_ran`: `timeout`',
    ...BY_POLICY,
    prove: (bench) => expectInTime(bench, 'stalled'),
  },
  {
    id: 'F45',
    fault: 'a hook sends a byte now and then',
    record: '`hooks_ran`: `timeout`',
    ...BY_POLICY,
    prove: (bench) => expectInTime(bench, 'dripping'),
  },
  {
    id: 'F46',
    fault: 'a hook answers without sense: no JSON, no such action, nothing, without end, a transform that is none',
    record: '`hooks_ran`: `error`, `unknown` or `transform-no-body`',
    ...BY_POLICY,
    async prove(bench) {
      for (const name of NONSENSE) await expectFailure(bench, name, /error|unknown|transform-no-body/)
    },
  },
  {
    id: 'F47',
    fault: 'a hook says no, on any route',
    client: '403 `hook_rejected`, or 400 where its entry says so',
    record: '`hooks_ran`: `rejected`; no attempt',
    retried: '–',
    breaker: 'nothing',
    prove: everyRoute,
  },
]
