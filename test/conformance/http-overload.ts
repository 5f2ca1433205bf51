// A router that takes on so much at a time: who gets a place, who waits, and who is turned away. Streams hold places here
// for as long as a test wants.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, audioForm, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { fairnessConformance } from './http-fairness.ts'
import { placesComeBack, shutdown, whoLeaves } from './http-overload-ends.ts'
import {
  AUTH,
  CHAT,
  delay,
  fill,
  hold,
  type Overloaded,
  overloadBench,
  PATIENCE_MS,
  QUEUE,
  recordOf,
  settle,
  short,
  SLACK_MS,
} from './overload-bench.ts'

export function overloadConformance(runtime: RuntimeName): void {
  describe(`overload on ${runtime}`, () => {
    const bench = overloadBench(runtime)
    whoWaits(bench)
    whoIsTurnedAway(bench)
    whoLeaves(bench)
    placesComeBack(bench)
  })
  shutdown(runtime)
  fairnessConformance(runtime)
}

function whoWaits(bench: Overloaded): void {
  test('a request waits until a stream has ended, and says how long', async () => {
    const [first] = await fill(bench)
    const id = bench.nextId()
    const waiting = short(bench, id)
    await delay(300)
    expect(bench.fleet.calls().filter(({ headers }) => headers['x-request-id'] === id)).toEqual([])
    first?.leave()
    const answer = await waiting
    expect(answer.status, answer.text).toBe(200)
    const record = await recordOf(bench, id)
    expect(record['queue_ms']).toBeGreaterThanOrEqual(150)
    expect(record['queue_ms']).toBeLessThan(PATIENCE_MS)
  })

  test('a place is held to the end of a stream, not to its headers', async () => {
    const holders = await fill(bench)
    for (const { reply } of holders) await (await reply).next()
    const answer = await short(bench)
    expectRefusal(answer, 'overloaded')
  })

  test('those who wait are served in their order', async () => {
    const [first] = await fill(bench)
    const order: number[] = []
    const waiting = []
    for (let at = 0; at < QUEUE; at += 1) {
      waiting.push(short(bench).then(({ status }) => status === 200 && order.push(at)))
      await delay(60)
    }
    first?.leave()
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2])
  })
}

function whoIsTurnedAway(bench: Overloaded): void {
  test('when the queue is full the rest is told to come back, at once and in the words of its API', async () => {
    await fill(bench)
    for (let at = 0; at < QUEUE; at += 1) hold(bench)
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
    await fill(bench)
    const head = ['Authorization: Bearer sesame', 'Content-Type: application/json', 'Content-Length: 1000000']
    const reply = await sendRaw(bench.fleet.url, rawRequest(`POST ${CHAT}`, head) + '{"model":"m",')
    expect([reply.status, reply.json()]).toMatchObject([503, { error: { code: 'overloaded' } }])
  })

  test('callers without a key are turned away before they take anybody’s place in the queue', async () => {
    await fill(bench)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => postJson(bench.fleet.url + CHAT, chatBody('m'), {})),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
  })

  test('every route that wants a caller is held to it; the probes of the router are not', async () => {
    await fill(bench)
    for (let at = 0; at < QUEUE; at += 1) hold(bench)
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
  })
}
