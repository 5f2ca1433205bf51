// Requests per second over HTTP.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, OWN_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { type Answered, ask, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import { until } from '../support/launch.ts'
import { CHAT, type LimitBench, RATE, type TenantName, untilRefused } from './limit-fleet.ts'

const HEADERS = ['limit', 'remaining', 'reset'].map((what) => `x-ratelimit-${what}-requests`)

export function limitRates(bench: LimitBench): void {
  const url = () => bench.fleet.url
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  describe('requests per second', () => {
    test('pass up to the limit, and come back with time', async () => {
      const startedMs = Date.now()
      const statuses: number[] = []
      for (let sent = 0; sent < 4 * RATE; sent++) {
        const { status } = await postJson(url() + CHAT, chatBody('fast'), bench.by('rate'))
        statuses.push(status)
      }
      const passed = statuses.filter((status) => status === 200).length
      expect(new Set(statuses)).toEqual(new Set([200, 429]))
      expect(passed).toBeGreaterThanOrEqual(RATE)
      expect(passed).toBeLessThanOrEqual(RATE + (RATE * (Date.now() - startedMs)) / 1_000 + 1)
      await pause(1_000)
      expect((await postJson(url() + CHAT, chatBody('fast'), bench.by('rate'))).status).toBe(200)
    })

    /** One request that passes leaves none for the next, whatever became of it. */
    async function expectCounted(tenant: TenantName, ask: () => Promise<Answered>): Promise<void> {
      let sentMs = 0
      await until(
        async () => {
          sentMs = performance.now()
          return (await ask()).status !== 429
        },
        10_000,
        () => 'never let through',
      )
      const next = await postJson(url() + CHAT, chatBody('fast'), bench.by(tenant))
      // A second is long, and a machine can be longer about it.
      if (performance.now() - sentMs < 950) expect(next.status).toBe(429)
    }

    test('are counted on every route that wants a key, together', async () => {
      const headers = bench.by('routes')
      await expectCounted('routes', () => ask(`${url()}/v1/models`, { headers }))
      await expectCounted('routes', () => ask(`${url()}/v1/models/fast`, { headers }))
      await expectCounted('routes', () => ask(`${url()}/v1/responses/none`, { headers }))
      await expectCounted('routes', () => postJson(`${url()}/tokenize`, { model: 'fast', prompt: 'x' }, headers))
      await expectCounted('routes', () => postJson(`${url()}/v1/embeddings`, { model: 'fast', input: 'x' }, headers))
    })

    test('that are refused say so in OpenAI’s shape, with headers, and leave a record', async () => {
      let id = ''
      const refused = await untilRefused(() =>
        postJson(url() + CHAT, chatBody('fast'), bench.by('slow', { 'x-request-id': (id = bench.nextId()) })),
      )
      expectRefusal(refused, 'rate_limit_exceeded')
      expect(refused.headers.get('retry-after')).toBe('1')
      expect(HEADERS.map((name) => refused.headers.get(name))).toEqual([
        '1',
        '0',
        expect.stringMatching(/^(?:\d+ms|1s)$/),
      ])
      expect(refused.headers.get('x-vllm-router-attempts')).toBe('0')
      const record = await bench.fleet.router.record((line) => line['request_id'] === id)
      expect(record).toMatchObject({ status: 429, error: 'rate_limit_exceeded', tenant: 'slow', attempts: [] })
      expect(record['limit']).toBe('requests')
      expect(bench.fleet.calls().some(({ headers }) => headers['x-request-id'] === id)).toBe(false)
    })

    test('that are refused say so in Anthropic’s shape', async () => {
      const body = { ...chatBody('fast') }
      const refused = await untilRefused(() => postJson(`${url()}/v1/messages`, body, bench.by('slow')))
      expectAnthropicRefusal(refused, 'rate_limit_exceeded', 'rate_limit_error')
    })

    test('are refused before their body is read', async () => {
      await postJson(url() + CHAT, chatBody('fast'), bench.by('impatient'))
      const refused = await postJson(url() + CHAT, 'this is no JSON', bench.by('impatient'))
      expect(refused.status).toBe(429)
      // Twenty seconds for the next.
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(15)
    })

    test('are refused on every route', async () => {
      const routes = [
        ...INFERENCE_ROUTES,
        ...STORED_RESPONSE_ROUTES,
        ...OWN_ROUTES.filter(({ path }) => path.startsWith('/v1/')),
      ]
      await postJson(url() + CHAT, chatBody('fast'), bench.by('impatient'))
      for (const { method, path } of routes) {
        const answer = await ask(url() + path.replace('*', 'fast'), { method, headers: bench.by('impatient') })
        expect([path, answer.status]).toEqual([path, 429])
      }
    })

    test('count when they fail', async () => {
      const failures = [
        () => postJson(url() + CHAT, 'no json', bench.by('failing')),
        () => postJson(url() + CHAT, { model: 'none' }, bench.by('failing')),
        () => postJson(url() + CHAT, chatBody('fast'), bench.by('failing', { 'x-sim-fault': '{"status":500}' })),
        () => postJson(url() + CHAT, chatBody('fast'), bench.by('failing', { 'x-sim-fault': '{"status":400}' })),
        () => postJson(url() + CHAT, '', bench.by('failing', { 'content-type': 'text/plain' })),
      ]
      for (const fail of failures) await expectCounted('failing', fail)
    })
  })

  test('a tenant without limits hears nothing of them', async () => {
    const { status, headers } = await postJson(url() + CHAT, chatBody('fast'), bench.by('free'))
    expect(status).toBe(200)
    expect([...headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([])
  })
}
