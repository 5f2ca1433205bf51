// One tenant's limits over eight isolates of a real workerd, each with its own memory, and the tenant's object between
// them: what docs/limits.md promises, measured from outside.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { fetchWhole, send, type Sent, type WholeReply } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { startIsolates, type WorkerdIsolates } from '../support/workerd-isolates.ts'

const ISOLATES = 8
const CHAT = '/v1/chat/completions'

const RATE = 40
const SLOTS = 6
const TOKENS_PER_MINUTE = 3_000
/** Clients of one isolate. */
const CLIENTS = 3

const TENANTS = {
  rate: { rate_limit_rps: RATE },
  bursts: { rate_limit_rps: RATE },
  slots: { max_concurrent: SLOTS },
  tokens: { tokens_per_minute: TOKENS_PER_MINUTE },
  patient: { rate_limit_rps: 0.5 },
} as const
type TenantName = keyof typeof TENANTS

let worker: StartedWorker
let isolates: WorkerdIsolates

beforeAll(async () => {
  const atOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlJitter: 0, maxNumSeqs: 1_000 }
  worker = await startSimulatedWorker({ ...atOnce, models: ['m'], itlMs: 5, outputTokens: 100_000 })
  const config = {
    workers: [{ id: 'only', url: worker.url }],
    disable_circuit_breaker: true,
    api_keys: Object.entries(TENANTS).map(([name, limits]) => ({ name, key: keyOf(name), ...limits })),
    log_level: 'warn',
  }
  isolates = await startIsolates(ISOLATES, JSON.stringify(config))
})
afterAll(async () => {
  await isolates?.stop()
  await worker?.close()
})

const keyOf = (name: string) => `key-of-${name}-0123456789`
const by = (tenant: TenantName) => ({ headers: { authorization: `Bearer ${keyOf(tenant)}` } })
const chat = (tokens: number) => ({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: tokens })
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Traffic {
  /** From before the first request to after the last answer, in seconds. */
  readonly seconds: number
  readonly passed: readonly WholeReply[]
  readonly refused: readonly WholeReply[]
}

/** Answers to clients of all isolates that go on asking until `lengthMs` have passed, each `each` times at least. */
async function hammer(tenant: TenantName, body: object, { lengthMs = 0, each = 1, pauseMs = 0 }): Promise<Traffic> {
  const startedMs = performance.now()
  const answers: WholeReply[] = []
  const clients = isolates.urls.flatMap((url) =>
    Array.from({ length: CLIENTS }, async () => {
      for (let sent = 0; sent < each || performance.now() - startedMs < lengthMs; sent += 1) {
        answers.push(await fetchWhole(url + CHAT, body, by(tenant)))
        await pause(pauseMs)
      }
    }),
  )
  await Promise.all(clients)
  const passed = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status === 429)
  expect(passed.length + refused.length).toBe(answers.length)
  return { seconds: (performance.now() - startedMs) / 1_000, passed, refused }
}

describe('requests per second', () => {
  test('over seconds of traffic from everywhere there is no overshoot, and not much is wasted', async () => {
    const { seconds, passed, refused } = await hammer('rate', chat(1), { lengthMs: 4_000, pauseMs: 20 })
    expect(passed.length).toBeLessThanOrEqual(RATE + RATE * seconds)
    // There is more to waste the more there is to refuse: a machine that is too slow to reach the limit proves nothing.
    if (refused.length > passed.length) expect(passed.length).toBeGreaterThan(0.4 * RATE * seconds)
  })

  test('nor in any window of bursts and pauses', async () => {
    const bursts: { readonly startMs: number; readonly endMs: number; readonly passed: number }[] = []
    for (const pauseMs of [0, 150, 400, 0, 1_100, 50]) {
      await pause(pauseMs)
      const startMs = performance.now()
      const { passed } = await hammer('bursts', chat(1), { each: 4 })
      bursts.push({ startMs, endMs: performance.now(), passed: passed.length })
    }
    for (const [at, first] of bursts.entries()) {
      let passed = 0
      for (const last of bursts.slice(at)) {
        passed += last.passed
        expect(passed).toBeLessThanOrEqual(RATE + (RATE * (last.endMs - first.startMs)) / 1_000)
      }
    }
  })
})

test('no more streams run at a time than there are slots, wherever they come from, and every slot comes back', async () => {
  const open = new Set<Sent>()

  async function tryFrom(url: string): Promise<void> {
    const sent = send(url + CHAT, { ...chat(100_000), stream: true }, by('slots'))
    const opened = await sent.reply
    if (opened.status !== 200) {
      expect([opened.status, opened.headers['retry-after']]).toEqual([429, '1'])
      await opened.rest()
      return
    }
    open.add(sent)
    expect(open.size).toBeLessThanOrEqual(SLOTS)
    await opened.next()
  }
  const fill = () =>
    until(
      async () => {
        await Promise.all(isolates.urls.map(tryFrom))
        return open.size === SLOTS
      },
      20_000,
      () => `${open.size} of ${SLOTS} slots can be had`,
    )

  await fill()
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(isolates.urls.map(tryFrom))
    for (const sent of [...open].slice(0, SLOTS / 2)) {
      open.delete(sent)
      sent.leave()
    }
    await fill()
  }
  for (const { leave } of open) leave()
})

test('tokens go over the limit by no more than requests use that run when the time begins or ends', async () => {
  const { seconds, passed, refused } = await hammer('tokens', chat(40), { lengthMs: 4_000, pauseMs: 30 })
  const used = passed.map(({ text }) => Number(JSON.parse(text).usage.total_tokens))
  const running = ISOLATES * CLIENTS * Math.max(...used)
  const perSecond = TOKENS_PER_MINUTE / 60
  expect(refused.length).toBeGreaterThan(0)
  expect(used.reduce((sum, tokens) => sum + tokens, 0)).toBeLessThanOrEqual(
    TOKENS_PER_MINUTE + perSecond * seconds + running + perSecond,
  )
})

test('who waits as long as Retry-After says gets through, in whichever isolate', async () => {
  const ask = (at: number) => fetchWhole((isolates.urls[at] ?? '') + CHAT, chat(1), by('patient'))
  let at = 0
  const waits: number[] = []
  while (waits.length < 3) {
    // Somebody else has just taken the one request there was.
    const { status } = await ask(at)
    at += 1
    if (status === 200) continue
    const refused = await ask(at)
    expect(refused.status).toBe(429)
    waits.push(Number(refused.headers['retry-after']))
    await pause(1_000 * (waits.at(-1) ?? 0))
    expect((await ask(at)).status).toBe(200)
  }
  // One comes back in two seconds; half a second more is the turn of others who want it.
  for (const seconds of waits) expect([1, 2, 3]).toContain(seconds)
})
