// What routers tell each other of prefixes: a conversation that was begun through one goes on at the same worker through
// another, and whoever keeps the hints costs nobody more than the budget.

import { createClient } from '@redis/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { hashPrompt, writePrompt } from '../../src/routing/prompt-blocks.ts'
import { postJson } from '../support/ask.ts'
import { type FreezingProxy, startFreezingProxy } from '../support/freezing-proxy.ts'
import { type LaunchedRouter, launchRouter, until } from '../support/launch.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { startUpstashProxy, type UpstashProxy } from '../support/upstash-proxy.ts'
import { startIsolates, type WorkerdIsolates } from '../support/workerd-isolates.ts'

const NAMES = ['a', 'b', 'c'] as const
const workers = new Map<string, StartedWorker>()
let redis: RedisServer
let upstash: UpstashProxy

beforeAll(async () => {
  redis = await startRedisServer()
  upstash = await startUpstashProxy(redis.url)
  for (const name of NAMES) {
    const answersAtOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0 }
    workers.set(name, await startSimulatedWorker({ ...answersAtOnce, models: ['m'], outputTokens: 4 }))
  }
})
afterAll(async () => {
  await upstash?.close()
  await redis?.stop()
  await Promise.all([...workers.values()].map((worker) => worker.close()))
})

const BLOCK_BYTES = 512

/** Far longer than it takes, on any machine. */
const PATIENT = { write_probability: 1, budget_ms: 1_000 }

function configWith(shared: object): string {
  return JSON.stringify({
    workers: NAMES.map((id) => ({ id, url: workers.get(id)?.url })),
    policy: { type: 'cache_aware', block_bytes: BLOCK_BYTES },
    health_check: { check_interval_secs: 600 },
    shared_prefix_routing: shared,
  })
}

interface Message {
  readonly role: string
  readonly content: string
}

let conversations = 0

/** A conversation of its own, of some blocks. */
function newConversation(): readonly Message[] {
  conversations += 1
  return [{ role: 'user', content: `${conversations} ${Math.random()} `.repeat(200) }]
}

function goOn(messages: readonly Message[]): readonly Message[] {
  return [...messages, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: 'And then? '.repeat(30) }]
}

/** The worker that answered. */
async function chat(url: string, messages: readonly Message[]): Promise<string> {
  const { status, headers } = await postJson(`${url}/v1/chat/completions`, { model: 'm', messages, max_tokens: 1 })
  expect(status).toBe(200)
  return String(headers.get('x-vllm-router-worker'))
}

/** By chance alone, six of them stay where they were once in 729 times. */
const MANY = 6

type Written = (begun: readonly (readonly Message[])[]) => Promise<void>

/**
 * Conversations begun through the first address go on at their workers through the second. Hints are written once an answer is
 * out: `written` waits for that.
 */
async function expectToFollow([first = '', second = '']: readonly string[], written: Written): Promise<void> {
  const begun = Array.from({ length: MANY }, newConversation)
  const places: string[] = []
  for (const messages of begun) places.push(await chat(first, messages))
  await written(begun)
  const later: string[] = []
  for (const messages of begun) later.push(await chat(second, goOn(messages)))
  expect(later).toEqual(places)
}

describe('two routers and a Redis', () => {
  test.each([
    ['node', 'bun', 'TCP'],
    ['deno', 'node', 'HTTP'],
  ] as const)('what %s has begun goes on through %s, over %s', { timeout: 90_000 }, async (one, other, kind) => {
    const address = kind === 'TCP' ? { url: redis.url } : { rest_url: upstash.url, token: upstash.token }
    const config = configWith({ backend: 'redis', redis: { ...address, key_prefix: `${kind}:` }, ...PATIENT })
    const routers = await Promise.all([one, other].map((runtime) => launchRouter(runtime, { config })))
    try {
      const urls = routers.map(({ url }) => url)
      await expectToFollow(urls, (begun) => untilWritten(kind, begun))
      const hinted = () => routers[1]?.records().filter(({ steps }) => hasStep(steps, 'ok')) ?? []
      await until(
        () => hinted().length === MANY,
        10_000,
        () => `${hinted().length} records show a hint`,
      )
      // The hint is part of the fact, so it is decided on again from the record.
      expect(hinted()[0]).toMatchObject({ prefix: { cached: expect.anything() } })
    } finally {
      await Promise.all(routers.map((router) => router.stop()))
    }
  })
})

async function untilWritten(kind: string, begun: Parameters<Written>[0]): Promise<void> {
  const client = createClient({ url: redis.url })
  await client.connect()
  try {
    const names = begun.map((messages) => `${kind}:routing:${lastKeyOf(messages)}`)
    await until(
      async () => (await client.mGet(names)).every((worker) => worker !== null),
      10_000,
      () => 'a hint was never written',
    )
  } finally {
    client.destroy()
  }
}

function lastKeyOf(messages: readonly Message[]): string {
  const written = writePrompt({ messages })
  if (written === null) throw new Error('a conversation has a prompt')
  return hashPrompt(written, { model: 'm', blockBytes: BLOCK_BYTES }).chains[0]?.at(-1) ?? ''
}

function hasStep(steps: unknown, outcome: string): boolean {
  return stepsOf(steps).some((step) => step.outcome === outcome)
}

function stepsOf(steps: unknown): readonly { readonly outcome: string; readonly ms: number }[] {
  const all = (steps ?? []) as readonly { readonly step: string; readonly outcome: string; readonly ms: number }[]
  return all.filter(({ step }) => step === 'shared_prefix')
}

describe('two isolates and Durable Objects', () => {
  let isolates: WorkerdIsolates
  beforeAll(async () => {
    isolates = await startIsolates(2, configWith({ backend: 'durable_object', ...PATIENT }))
  })
  afterAll(() => isolates?.stop())

  test('what one has begun goes on through the other', async () => {
    // Objects can't be asked from here; test/workerd/shared-prefixes.test.ts looks at them without a pause.
    await expectToFollow(isolates.urls, () => new Promise((resolve) => setTimeout(resolve, 1_000)))
  })
})

describe('a Redis that hangs', () => {
  const BUDGET_MS = 20
  let proxy: FreezingProxy
  let router: LaunchedRouter
  beforeAll(async () => {
    proxy = await startFreezingProxy(redis.port)
    const shared = { backend: 'redis', redis: { url: `redis://127.0.0.1:${proxy.port}` }, write_probability: 1 }
    router = await launchRouter('node', { config: configWith({ ...shared, budget_ms: BUDGET_MS }) })
  })
  afterAll(async () => {
    await router?.stop()
    await proxy?.close()
  })

  test('costs its budget a few times, and then nothing; no request fails', async () => {
    await chat(router.url, newConversation())
    proxy.freeze()
    for (let round = 0; round < 12; round += 1) await chat(router.url, newConversation())
    await until(
      () => router.records().length === 13,
      10_000,
      () => `${router.records().length} records`,
    )
    const steps = router
      .records()
      .slice(-12)
      .map((record) => stepsOf(record['steps'])[0])
    const outcomes = steps.map((step) => step?.outcome)
    expect(new Set(outcomes)).toEqual(new Set(['timeout', 'breaker_open']))
    expect(outcomes.indexOf('breaker_open')).toBeLessThanOrEqual(5)
    for (const step of steps) {
      // A machine that is busy with something else fires a timer late.
      if (step?.outcome === 'timeout') expect(step.ms).toBeLessThan(1_000)
    }
    await router.told('"event":"cache_failed","backend":"redis:prefixes","why":"timeout"')
  })
})
