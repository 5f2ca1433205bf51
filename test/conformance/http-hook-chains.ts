// Several hooks on one request: in which order, side by side, and what they make of the request for those after them.

import { expect, test } from 'vitest'
import { expectRefusal } from '../support/ask.ts'
import type { HookEntry, HookFleet } from './hook-fleet.ts'

export const CHAIN_ENTRIES: readonly HookEntry[] = [
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
  { name: 'under-v1', path: '/allow', models: ['routed'], routes: ['/v1/*'] },
  { name: 'threads-only', path: '/allow', models: ['routed'], routes: ['/v1/responses/*', '/v1/responses'] },
  { name: 'tokens-only', path: '/allow', models: ['routed'], routes: ['/tok*', '/detokenize'] },
  { name: 'thread', path: '/thread', models: ['threads'], transform: true },
]

export function keepOrder(bench: HookFleet): void {
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
        if (waiting.length === 3) for (const go of waiting.splice(0).toReversed()) go()
      })
      return { action: 'allow' }
    })
    const answer = await bench.chat('meeting')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('meet-1,meet-2,meet-3')
  })

  test.each([
    ['/v1/chat/completions', 'under-v1'],
    ['/v1/embeddings', 'under-v1'],
    ['/v1/responses', 'under-v1,threads-only'],
    ['/tokenize', 'tokens-only'],
    ['/detokenize', 'tokens-only'],
    ['/v2/rerank', null],
  ])('run where their routes say, by name or by beginning: %s', async (route, ran) => {
    const answer = await bench.chat('routed', { route })
    expect(answer.headers.get('x-vllm-router-hooks')).toBe(ran)
    expect(bench.reached(answer.id), answer.text).toBe(true)
  })

  test('stop at the first rejection', async () => {
    const answer = await bench.chat('stopped')
    expect(answer.headers.get('x-vllm-router-hooks')).toBe('stopper:rejected')
    expect(bench.callsOf(answer.id).map(({ path }) => path)).toEqual(['/reject'])
  })
}

export function changeWhereItGoes(bench: HookFleet): void {
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
