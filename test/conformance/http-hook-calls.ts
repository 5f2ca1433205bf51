// How hooks are called over real sockets: for how long, what travels along, and when they are left alone.

import { describe, expect, test } from 'vitest'
import { expectRefusal } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { CHAT, type HookEntry, type HookFleet, hookFleet } from './hook-fleet.ts'
import { BREAKER_ENTRIES, openBreakers } from './http-hook-breakers.ts'
import { CHAIN_ENTRIES, changeWhereItGoes, keepOrder } from './http-hook-chains.ts'

const DEADLINE_MS = 300
/** What a call may take beyond its deadline, the request around it included. */
const SLACK_MS = 150

const ENTRIES: readonly HookEntry[] = [
  { name: 'stalled', path: '/stalled-body', timeout_ms: DEADLINE_MS },
  { name: 'dripping', path: '/dripping-body', timeout_ms: DEADLINE_MS },
  { name: 'silent', path: '/no-headers', timeout_ms: DEADLINE_MS },
  { name: 'left', path: '/no-headers', timeout_ms: 30_000 },
  { name: 'told', path: '/reject', expose_reason: true, on_reject: 'block400' },
  { name: 'keyed', path: '/allow', api_key: 'hook-key', headers: { 'X-Team': 'search' } },
  ...CHAIN_ENTRIES,
  ...BREAKER_ENTRIES,
]

export function hookCalls(runtime: RuntimeName): void {
  describe('calls', () => {
    const bench = hookFleet(runtime, ENTRIES)
    takeTheirTime(bench)
    openBreakers(bench)
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
      sent.leave('close')
      await until(
        () => bench.callsOf(id).every((call) => call.isDropped()),
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
