// How hooks are called over real sockets: in which order and how long, what travels along, and when they are left alone.

import { describe, expect, test } from 'vitest'
import { FAILURES_TO_OPEN } from '../../src/upstream/breaker.ts'
import { expectRefusal } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { CHAT, type HookEntry, type HookFleet, hookFleet } from './hook-fleet.ts'

const DEADLINE_MS = 300
/** What a call may take beyond its deadline, the request around it included. */
const SLACK_MS = 150

const ENTRIES: readonly HookEntry[] = [
  { name: 'stalled', path: '/stalled-body', timeout_ms: DEADLINE_MS },
  { name: 'dripping', path: '/dripping-body', timeout_ms: DEADLINE_MS },
  { name: 'silent', path: '/no-headers', timeout_ms: DEADLINE_MS },
  { name: 'hung', path: '/no-headers', timeout_ms: DEADLINE_MS },
  { name: 'hung-block', path: '/no-headers', timeout_ms: DEADLINE_MS, on_error: 'block' },
  { name: 'left', path: '/no-headers', timeout_ms: 30_000 },
  { name: 'told', path: '/reject', expose_reason: true, on_reject: 'block400' },
  { name: 'keyed', path: '/allow', api_key: 'hook-key', headers: { 'X-Team': 'search' } },
  { name: 'first', path: '/first', models: ['chain'], transform: true },
  { name: 'second', path: '/second', models: ['chain'] },
  { name: 'third', path: '/third', models: ['chain'], transform: true },
  { name: 'meet-1', path: '/meet', models: ['meeting'], parallel: true },
  { name: 'meet-2', path: '/meet', models: ['meeting'], parallel: true },
  { name: 'meet-3', path: '/meet', models: ['meeting'], parallel: true },
  { name: 'stopper', path: '/reject', models: ['stopped'] },
  { name: 'never', path: '/allow', models: ['stopped'] },
  { name: 'reroute', path: '/reroute', models: ['alias'], transform: true },
  { name: 'beta-only', path: '/allow', models: ['beta'] },
  { name: 'thread', path: '/thread', models: ['threads'], transform: true },
]

export function hookCalls(runtime: RuntimeName): void {
  describe('calls', () => {
    const bench = hookFleet(runtime, ENTRIES)
    takeTheirTime(bench)
    opensBreakers(bench)
    travelAlong(bench)
    keepOrder(bench)
    changeWhereItGoes(bench)

    test('are aborted when the client leaves, and nothing reaches a worker', async () => {
      const id = bench.nextId()
      const body = { model: 'left', messages: [{ role: 'user', content: 'hi' }] }
      const sent = send(bench.fleet.url + CHAT, body, { headers: { 'x-request-id': id } })
      await until(
        () => bench.callsOf(id).length === 1,
        5_000,
        () => 'the hook was not called',
      )
      expect(bench.callsOf(id)[0]?.isDropped()).toBe(false)
      sent.leave()
      await until(
        () => bench.callsOf(id)[0]?.isDropped() === true,
        5_000,
        () => "the hook's call goes on without its client",
      )
      const record = await bench.fleet.router.record(({ request_id: of }) => of === id)
      expect(record).toMatchObject({ status: 499, stream_end: 'client_aborted', attempts: [] })
      expect(record).not.toHaveProperty('hooks_ran')
      expect(bench.reached(id)).toBe(false)
    })

    test('tell the caller why where the operator wants it', async () => {
      const answer = await bench.chat('told')
      expectRefusal(answer, 'hook_rejected_request')
      expect(answer.json().error.message).toBe('rule 7 says no')
    })
  })
}

function takeTheirTime(bench: HookFleet): void {
  test.each(['stalled', 'dripping', 'silent'])('end at their deadline, body included: %s', async (model) => {
    await bench.chat('plain')
    let added = Number.POSITIVE_INFINITY
    // The best of three, fewer than open a breaker: a busy machine only ever adds time.
    for (let round = 0; round < 3 && added > DEADLINE_MS + SLACK_MS; round++) {
      const startedAtMs = performance.now()
      const answer = await bench.chat(model)
      added = performance.now() - startedAtMs
      expect(answer.status, answer.text).toBe(200)
      expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${model}:timeout`)
    }
    expect(added).toBeGreaterThan(DEADLINE_MS - 20)
    expect(added).toBeLessThan(DEADLINE_MS + SLACK_MS)
    await until(
      () => bench.hooks.calls().every((call) => call.json().model !== model || call.isDropped()),
      2_000,
      () => 'the connection of an expired call stays open',
    )
  })
}

function opensBreakers(bench: HookFleet): void {
  test.each(['hung', 'hung-block'])('to a dead hook cost nothing once its breaker is open: %s', async (model) => {
    const failing = Array.from({ length: FAILURES_TO_OPEN }, () => bench.chat(model))
    for (const answer of await Promise.all(failing)) {
      expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${model}:timeout`)
    }
    const calls = () => bench.hooks.calls().filter((call) => call.json().model === model).length
    expect(calls()).toBe(FAILURES_TO_OPEN)
    const startedAtMs = performance.now()
    const answers = [await bench.chat(model), await bench.chat(model), await bench.chat(model)]
    expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS)
    for (const answer of answers) {
      expect(answer.headers.get('x-vllm-router-hooks')).toBe(`${model}:open`)
      if (model === 'hung') expect(answer.status, answer.text).toBe(200)
      else expectRefusal(answer, 'hook_failed')
    }
    expect(calls()).toBe(FAILURES_TO_OPEN)
  })
}

function travelAlong(bench: HookFleet): void {
  test('carry request id, trace context, key and headers, and no credential of the caller', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const headers = { traceparent, tracestate: 'vendor=1', authorization: 'Bearer caller', cookie: 'c=1' }
    const { id } = await bench.chat('keyed', { headers })
    const [call] = bench.callsOf(id)
    expect(call?.headers).toMatchObject({
      'x-request-id': id,
      traceparent,
      tracestate: 'vendor=1',
      'content-type': 'application/json',
      accept: 'application/json',
      authorization: 'Bearer hook-key',
      'x-team': 'search',
    })
    expect(call?.headers).not.toHaveProperty('cookie')
  })

  test('bring the body as it came, to the byte', async () => {
    const id = bench.nextId()
    const text = '{ "model":"keyed", "seed":12345678901234567890,"top_p":1.0,"messages":[],"x":"\\u00e9é" }'
    await fetch(bench.fleet.url + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': id },
      body: text,
    })
    expect(bench.callsOf(id)[0]?.text).toBe(text)
  })
}

function keepOrder(bench: HookFleet): void {
  test('run one after the other, each on what the last one made of the body', async () => {
    const seen: string[][] = []
    const adding = (name: string) => (call: { json(): { tags?: string[] } }) => {
      const body = call.json()
      seen.push(body.tags ?? [])
      return { action: 'transform', body: { ...body, tags: [...(body.tags ?? []), name] } }
    }
    for (const name of ['first', 'second', 'third']) bench.hooks.script(`/${name}`, adding(name))
    const answer = await bench.chat('chain')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('first:transformed,second,third:transformed')
    expect(seen).toEqual([[], ['first'], ['first']])
    expect(JSON.parse(bench.fleet.call(answer.id).body).tags).toEqual(['first', 'third'])
    expect(bench.fleet.call(answer.id).headers['content-length']).toBe(String(bench.fleet.call(answer.id).bodyBytes))
  })

  test('run side by side where they may, named in configured order whoever answers first', async () => {
    const waiting: (() => void)[] = []
    // Nobody is answered before all three are here, and then the last one first.
    bench.hooks.script('/meet', async () => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 3) for (const go of waiting.splice(0).reverse()) go()
      })
      return { action: 'allow' }
    })
    const answer = await bench.chat('meeting')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('meet-1,meet-2,meet-3')
  })

  test('stop at the first rejection', async () => {
    const answer = await bench.chat('stopped')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('stopper:rejected')
    expect(bench.callsOf(answer.id).map(({ path }) => path)).toEqual(['/reject'])
  })
}

function changeWhereItGoes(bench: HookFleet): void {
  test('may choose another model, and whether the answer streams', async () => {
    bench.hooks.script('/reroute', (call) => ({
      action: 'transform',
      body: { ...call.json(), model: 'beta', stream: true },
    }))
    const answer = await bench.chat('alias')
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers.get('x-vllm-router-worker')).toBe('beta')
    expect(answer.headers.get('x-vllm-router-model')).toBe('beta')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('reroute:transformed,beta-only')
    expect(answer.text).toContain('data: [DONE]')
    const record = await bench.fleet.router.record(({ request_id: id }) => id === answer.id)
    expect(record).toMatchObject({ original_model: 'alias', model: 'beta', worker: 'beta', stream_end: 'complete' })
  })

  test('decide which stored response a request goes on from', async () => {
    let next: string | null = null
    bench.hooks.script('/thread', (call) => {
      const { previous_response_id: _, ...body } = call.json()
      return { action: 'transform', body: next === null ? body : { ...body, previous_response_id: next } }
    })
    const goOn = (previous: string) =>
      bench.chat('threads', { route: '/v1/responses', body: { input: 'hi', previous_response_id: previous } })
    const created = await goOn('resp_unknown')
    expect(created.status, created.text).toBe(200)
    next = 'resp_unknown'
    expectRefusal(await goOn(created.json().id), 'response_not_found')
    next = created.json().id
    const answer = await goOn('resp_unknown')
    expect(answer.headers.get('x-vllm-router-policy')).toBe('response_affinity')
  })
}
