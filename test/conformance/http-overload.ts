// A router that takes on so much at a time: who gets a place, who waits, who is turned away, and that every place comes
// back. Streams hold places here for as long as a test wants.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, audioForm, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import { type Reply, send, type Sent } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { fairnessConformance } from './http-fairness.ts'

const CHAT = '/v1/chat/completions'
const PLACES = 2
const QUEUE = 3
const PATIENCE_MS = 1_500
const SLACK_MS = 1_000

interface Overloaded {
  readonly fleet: LiveFleet<'slow'>
  readonly runtime: RuntimeName
  nextId(): string
}

export function overloadConformance(runtime: RuntimeName): void {
  describe(`overload on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      // A token every 20 ms: a stream of ENDLESS lasts longer than any test.
      workers: { slow: { models: ['m'], itlMs: 20, outputTokens: 100_000, maxNumSeqs: 1_000 } },
      config: (urls) => ({
        workers: [{ id: 'slow', url: urls.slow }],
        inbound_api_key: 'sesame',
        max_concurrent_requests: PLACES,
        queue_size: QUEUE,
        queue_timeout_secs: PATIENCE_MS / 1000,
        passthrough_paths: ['/metrics'],
        retry: { max_retries: 0 },
      }),
    })
    let count = 0
    const bench: Overloaded = { fleet, runtime, nextId: () => `${runtime}-full-${(count += 1)}` }
    whoWaits(bench)
    whoIsTurnedAway(bench)
    whoLeaves(bench)
    placesComeBack(bench)
  })
  shutdown(runtime)
  fairnessConformance(runtime)
}

const ENDLESS = { ...chatBody('m'), max_tokens: 100_000, stream: true }
const AUTH = { authorization: 'Bearer sesame' }

/** Begins a stream that holds its place until the client leaves. */
function hold(bench: Overloaded): Sent & { readonly id: string } {
  const id = bench.nextId()
  return { ...send(bench.fleet.url + CHAT, ENDLESS, { headers: { ...AUTH, 'x-request-id': id } }), id }
}

/** Takes every place; resolves once all of them are surely taken. */
async function fill(bench: Overloaded) {
  const holders = Array.from({ length: PLACES }, () => hold(bench))
  const replies = await Promise.all(holders.map(({ reply }) => reply))
  expect(replies.map(({ status }) => status)).toEqual(holders.map(() => 200))
  return holders
}

function short(bench: Overloaded, id = bench.nextId()) {
  return postJson(bench.fleet.url + CHAT, chatBody('m'), { ...AUTH, 'x-request-id': id })
}

function recordOf({ fleet }: Overloaded, id: string) {
  return fleet.router.record(({ request_id: of }) => of === id)
}

/** Waits until the router has room for everybody again. */
async function settle(bench: Overloaded): Promise<void> {
  await until(
    () => bench.fleet.worker('slow').state().running === 0,
    5_000,
    () => 'the worker still has requests',
  )
  await until(
    async () => {
      const id = bench.nextId()
      const { status } = await short(bench, id)
      return status === 200 && !('queue_ms' in (await recordOf(bench, id)))
    },
    10_000,
    () => 'a request alone has to wait',
  )
}

function whoWaits(bench: Overloaded): void {
  test('a request waits until a stream has ended, and says how long', async () => {
    const [first, second] = await fill(bench)
    const id = bench.nextId()
    const waiting = short(bench, id)
    await delay(300)
    expect(bench.fleet.calls().filter(({ headers }) => headers['x-request-id'] === id)).toEqual([])
    first?.leave()
    const answer = await waiting
    expect(answer.status, answer.text).toBe(200)
    const record = await recordOf(bench, id)
    expect(record['queue_ms']).toBeGreaterThanOrEqual(250)
    expect(record['queue_ms']).toBeLessThan(PATIENCE_MS)
    second?.leave()
    await settle(bench)
  })

  test('a place is held to the end of a stream, not to its headers', async () => {
    const holders = await fill(bench)
    for (const { reply } of holders) await (await reply).next()
    const answer = await short(bench)
    expectRefusal(answer, 'overloaded')
    for (const { leave } of holders) leave()
    await settle(bench)
  })

  test('those who wait are served in their order', async () => {
    const [first, second] = await fill(bench)
    const order: number[] = []
    const waiting = []
    for (let at = 0; at < QUEUE; at += 1) {
      waiting.push(short(bench).then(({ status }) => status === 200 && order.push(at)))
      await delay(60)
    }
    first?.leave()
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2])
    second?.leave()
    await settle(bench)
  })
}

function whoIsTurnedAway(bench: Overloaded): void {
  test('when the queue is full the rest is told to come back, at once and in the words of its API', async () => {
    const holders = await fill(bench)
    const queued = Array.from({ length: QUEUE }, () => hold(bench))
    await delay(200)
    const startedAtMs = performance.now()
    const id = bench.nextId()
    const answer = await short(bench, id)
    expectRefusal(answer, 'overloaded')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(30)
    expect(answer.headers.get('x-should-retry')).toBeNull()
    const messages = await postJson(`${bench.fleet.url}/v1/messages`, chatBody('m'), AUTH)
    expectAnthropicRefusal(messages, 'overloaded', 'overloaded_error')
    expect(performance.now() - startedAtMs).toBeLessThan(SLACK_MS)
    expect(await recordOf(bench, id)).toMatchObject({ status: 503, error: 'overloaded', attempts: [] })
    for (const { leave } of [...holders, ...queued]) leave()
    await settle(bench)
  })

  test('a request that waited too long is refused, and no worker ever hears of it', async () => {
    const holders = await fill(bench)
    const id = bench.nextId()
    const startedAtMs = performance.now()
    const answer = await short(bench, id)
    const waitedMs = performance.now() - startedAtMs
    expectRefusal(answer, 'overloaded')
    expect(waitedMs).toBeGreaterThanOrEqual(PATIENCE_MS - 50)
    expect(waitedMs).toBeLessThan(PATIENCE_MS + SLACK_MS)
    const record = await recordOf(bench, id)
    expect(record['queue_ms']).toBeGreaterThanOrEqual(PATIENCE_MS - 50)
    for (const { leave } of holders) leave()
    await settle(bench)
    expect(bench.fleet.calls().filter(({ headers }) => headers['x-request-id'] === id)).toEqual([])
  })

  test('a body is not waited for: who has no place is refused while it is still to come', async () => {
    const holders = await fill(bench)
    const head = ['Authorization: Bearer sesame', 'Content-Type: application/json', 'Content-Length: 1000000']
    const reply = await sendRaw(bench.fleet.url, rawRequest(`POST ${CHAT}`, head) + '{"model":"m",')
    expect([reply.status, reply.json()]).toMatchObject([503, { error: { code: 'overloaded' } }])
    for (const { leave } of holders) leave()
    await settle(bench)
  })

  test('callers without a key are turned away before they take anybody’s place in the queue', async () => {
    const holders = await fill(bench)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => postJson(bench.fleet.url + CHAT, chatBody('m'), {})),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
    for (const { leave } of holders) leave()
    await settle(bench)
  })

  test('every route that wants a caller is held to it; the probes of the router are not', async () => {
    const holders = await fill(bench)
    const queued = Array.from({ length: QUEUE }, () => hold(bench))
    await delay(200)
    const routes = [
      ...INFERENCE_ROUTES.map(({ path, body }) => ({ method: 'POST', path, isForm: body === 'multipart' })),
      ...STORED_RESPONSE_ROUTES.map(({ method, path }) => ({ method, path, isForm: false })),
      ...['/v1/models', '/v1/models/m', '/metrics'].map((path) => ({ method: 'GET', path, isForm: false })),
    ]
    const visits = routes.map(async ({ method, path, isForm }) => {
      const url = bench.fleet.url + path.replace(':id', 'resp_1')
      const body = isForm ? audioForm('m') : JSON.stringify(chatBody('m'))
      const headers: Record<string, string> = isForm ? AUTH : { ...AUTH, 'content-type': 'application/json' }
      const { status } = await ask(url, { method, headers, ...(method === 'POST' ? { body } : {}) })
      return [path, status]
    })
    expect(await Promise.all(visits)).toEqual(routes.map(({ path }) => [path, 503]))
    for (const path of ['/health', '/liveness', '/readiness', '/version']) {
      expect([path, (await ask(bench.fleet.url + path)).status]).toEqual([path, 200])
    }
    for (const { leave } of [...holders, ...queued]) leave()
    await settle(bench)
  })
}

function whoLeaves(bench: Overloaded): void {
  test.each(['close', 'reset'] as const)(
    'a client that leaves (%s) frees its spot in the queue at once',
    async (how) => {
      const holders = await fill(bench)
      const queued = Array.from({ length: QUEUE }, () => hold(bench))
      await delay(200)
      expectRefusal(await short(bench), 'overloaded')
      const [leaver] = queued
      leaver?.leave(how)
      const record = await recordOf(bench, leaver?.id ?? '')
      expect(record).toMatchObject({ status: 499, stream_end: 'client_aborted', attempts: [] })
      expect(record['queue_ms']).toBeLessThan(PATIENCE_MS)
      // There is room for one again: it waits instead of being refused.
      const late = hold(bench)
      holders[0]?.leave()
      for (const { leave } of queued.slice(1)) leave()
      expect((await late.reply).status).toBe(200)
      for (const { leave } of [...holders, late]) leave()
      await settle(bench)
    },
  )
}

const KINDS = ['finish', 'break', 'finish', 'leave'] as const

function placesComeBack(bench: Overloaded): void {
  test('after requests of every kind and end, every place is free again', async () => {
    const random = seeded(bench.runtime.length)
    const statuses = new Set<number | string>()
    // Read to its end, left in mid-stream or while waiting, refused for its body once it has its place.
    const actions = Array.from({ length: 60 }, (_, at) => {
      return { kind: KINDS[at % KINDS.length], beginMs: random() * 3_000, stayMs: Math.floor(random() * 300) }
    })
    await Promise.all(
      actions.map(async ({ kind, beginMs, stayMs }) => {
        await delay(beginMs)
        if (kind === 'finish') return statuses.add((await short(bench)).status)
        if (kind === 'break') return statuses.add((await postJson(bench.fleet.url + CHAT, '{', AUTH)).status)
        const sent = hold(bench)
        const reply = await Promise.race([sent.reply, delay(stayMs)]).catch(() => null)
        if (reply !== null) await Promise.race([drain(reply), delay(stayMs)])
        sent.leave(stayMs % 2 === 0 ? 'close' : 'reset')
        return statuses.add(reply?.status ?? 'left')
      }),
    )
    expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 'left']))
    await settle(bench)
    const holders = await fill(bench)
    expect(bench.fleet.worker('slow').state().running).toBe(PLACES)
    for (const { leave } of holders) leave()
    await settle(bench)
  })
}

function shutdown(runtime: RuntimeName): void {
  // A Worker is not told that it ends; under `serve` its process has the grace time like the others.
  describe.skipIf(runtime === 'workerd')(`overload and shutdown on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { slow: { models: ['m'], itlMs: 20, outputTokens: 50 } },
      config: (urls) => ({
        workers: [{ id: 'slow', url: urls.slow }],
        allow_anonymous: true,
        max_concurrent_requests: 1,
        shutdown_grace_secs: 10,
      }),
    })

    test('whoever waits is told at once that the router shuts down; whoever has a place finishes', async () => {
      const body = { ...chatBody('m'), max_tokens: 50, stream: true }
      const running = await send(fleet.url + CHAT, body).reply
      const waiting = postJson(fleet.url + CHAT, chatBody('m'), { 'x-request-id': 'waits' })
      await delay(200)
      fleet.router.process.kill('SIGTERM')
      expectRefusal(await waiting, 'shutting_down')
      expect((await running.rest()).toString()).toContain('[DONE]')
    })
  })
}

function delay(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms))
}

async function drain(reply: Reply): Promise<void> {
  await reply.rest().catch(() => {})
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}
