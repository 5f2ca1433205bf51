// What is asked of either control plane, and what becomes of one that fails.

import { Secret } from '../../secret.ts'
import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createLookupClient } from './lookup-client.ts'
import type { LmcacheNeeds } from './needs.ts'

const LOOKUP = { minPromptTokens: 256, maxTokens: 1_024, budgetMs: 100, worldSize: 2, assumesChains: false }

const NEEDS: LmcacheNeeds = {
  prefillMsPerToken: 0.2,
  controllerUrl: 'http://lmcache:9000',
  controllerType: 'legacy',
  controllerApiKey: new Secret('k'),
  controllerBinding: null,
  pollIntervalMs: 10_000,
  controllerTimeoutMs: 50,
  workerMap: {},
  lookup: LOOKUP,
}

interface Call {
  readonly url: string
  readonly headers: Headers
  readonly body: unknown
}

function rig(answer: () => Response | null, given: Partial<LmcacheNeeds> = {}) {
  const clock = createFakeClock()
  const calls: Call[] = []
  const ask = async (url: string, headers: Headers, text: string): Promise<Response> => {
    calls.push({ url, headers, body: JSON.parse(text) })
    return answer() ?? new Promise<never>(() => {})
  }
  const client = createLookupClient({
    platform: {
      now: clock.now,
      after: clock.after,
      send: (url, { headers, body }) => ask(url, new Headers(headers), new TextDecoder().decode(body as Uint8Array)),
      binding: (name) =>
        name === 'VPC' ? { fetch: async (request) => ask(request.url, request.headers, await request.text()) } : null,
      classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }),
    },
    needs: { ...NEEDS, ...given },
    lookup: LOOKUP,
  })
  const gone = new AbortController()
  const lookup = (tokens: number, timeoutMs = 1_000) =>
    client.lookup({
      ids: Uint32Array.from({ length: tokens }, (_, at) => at),
      model: 'm',
      cacheSalt: 's',
      timeoutMs,
      signal: gone.signal,
    })
  return { clock, calls, client, lookup, gone }
}

const HIT = () => Response.json({ event_id: 'e', layout_info: { a: ['LocalCPUBackend', 512] } })

describe('the question', () => {
  test('to the legacy controller is the beginning of the ids and nothing else', async () => {
    const { lookup, calls } = rig(HIT)
    const reply = await lookup(3_000)
    expect(reply).toMatchObject({ kind: 'answer', answer: { knownTokens: 512 } })
    const [call] = calls
    expect([call?.url, call?.headers.get('authorization')]).toEqual(['http://lmcache:9000/lookup', 'Bearer k'])
    expect(call?.body).toEqual({ tokens: Array.from({ length: 1_024 }, (_, at) => at) })
  })

  test('to the coordinator names model, ranks and salt', async () => {
    const { lookup, calls } = rig(() => Response.json({ chunks: 0, results: [] }), { controllerType: 'coordinator' })
    expect(await lookup(3)).toMatchObject({ kind: 'answer', answer: { knownTokens: 0 } })
    expect(calls[0]?.url).toBe('http://lmcache:9000/directory/lookup')
    expect(calls[0]?.body).toEqual({ token_ids: [0, 1, 2], model_name: 'm', world_size: 2, cache_salt: 's' })
  })

  test('goes through a binding where one is named', async () => {
    expect(await rig(HIT, { controllerBinding: 'VPC' }).lookup(600)).toMatchObject({ kind: 'answer' })
    expect(await rig(HIT, { controllerBinding: 'GONE' }).lookup(600)).toMatchObject({ reason: 'unreachable' })
  })
})

describe('a control plane that fails', () => {
  test.each<[string, () => Response, string]>([
    ['500', () => Response.json({ detail: 'x' }, { status: 500 }), 'unreachable'],
    ['no JSON', () => new Response('<html>'), 'bad_answer'],
    ['a lie', () => Response.json({ layout_info: { a: ['x', 99_999] } }), 'bad_answer'],
  ])('with %s is asked five times', async (_, answer, reason) => {
    const { clock, lookup, calls, client } = rig(answer)
    for (let round = 0; round < 5; round += 1) expect(await lookup(600)).toMatchObject({ reason })
    expect([client.isAsked(), client.look('m')]).toEqual([false, null])
    expect(await lookup(600)).toMatchObject({ reason: 'breaker_open' })
    expect(calls).toHaveLength(5)
    clock.advance(10_000)
    // One goes to see, with what is no caller's prompt, and requests go on without.
    expect(client.isAsked()).toBe(false)
    expect(await Promise.all([client.look('m'), client.look('m')])).toMatchObject([
      { reason },
      { reason: 'breaker_open' },
    ])
    expect(calls).toHaveLength(6)
    expect(calls[5]?.body).toEqual({ tokens: Array.from({ length: 256 }, () => 0) })
    expect([client.isAsked(), client.look('m')]).toEqual([false, null])
  })

  test('is asked again once a look finds it back', async () => {
    let isBack = false
    const { clock, lookup, client } = rig(() => Response.json({ layout_info: {} }, { status: isBack ? 200 : 500 }))
    for (let round = 0; round < 5; round += 1) await lookup(600)
    isBack = true
    clock.advance(10_000)
    expect(await client.look('m')).toMatchObject({ kind: 'answer' })
    expect([client.isAsked(), client.look('m')]).toEqual([true, null])
  })

  test('is not back while it takes longer than a request has', async () => {
    let isSlow = false
    const { clock, lookup, client } = rig(() => (isSlow ? null : Response.json({}, { status: 500 })), {
      controllerTimeoutMs: 5_000,
    })
    for (let round = 0; round < 5; round += 1) await lookup(600)
    isSlow = true
    clock.advance(10_000)
    const look = client.look('m')
    await Promise.resolve()
    clock.advance(LOOKUP.budgetMs)
    expect(await look).toMatchObject({ reason: 'timeout' })
    expect(client.isAsked()).toBe(false)
  })

  test('to answer in time costs no more than the time it is given, or what is left of the budget', async () => {
    const { clock, lookup } = rig(() => null)
    for (const [timeoutMs, waitedMs] of [
      [1_000, 50],
      [20, 20],
    ] as const) {
      const reply = lookup(600, timeoutMs)
      await Promise.resolve()
      clock.advance(waitedMs)
      expect(await reply).toMatchObject({ reason: 'timeout' })
    }
  })

  test('is not blamed for callers who leave', async () => {
    const { lookup, client, gone } = rig(() => null)
    gone.abort()
    for (let round = 0; round < 6; round += 1) expect(await lookup(600)).toMatchObject({ reason: 'aborted' })
    expect(client.isAsked()).toBe(true)
  })
})
