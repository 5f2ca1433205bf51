// Who may use the router, and what an operator can open: the inbound key, browsers of other origins, worker paths.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { type Answered, ask, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const CHAT = '/v1/chat/completions'
const KEY = 'sesame-0123456789'
const ORIGIN = 'https://app.example.com'

const RIGHT_KEYS: readonly Record<string, string>[] = [
  { authorization: `Bearer ${KEY}` },
  { authorization: `bearer ${KEY}` },
  { authorization: `BEARER   ${KEY}` },
  { 'x-router-key': KEY },
  { 'x-api-key': KEY },
  { 'x-api-key': KEY, authorization: 'Bearer something-else' },
]

const WRONG_KEYS: readonly Record<string, string>[] = [
  {},
  { authorization: KEY },
  { authorization: `Basic ${KEY}` },
  { authorization: `Token ${KEY}` },
  { authorization: 'Bearer' },
  { authorization: 'Bearer undefined' },
  { authorization: 'Bearer null' },
  { authorization: `Bearer ${KEY}x` },
  { authorization: `Bearer ${KEY.slice(0, -1)}` },
  { authorization: `Bearer ${KEY.toUpperCase()}` },
  { authorization: `Bearer ${KEY} ${KEY}` },
  { authorization: `Bearer ${KEY},Bearer ${KEY}` },
  { authorization: `Bearer ${'a'.repeat(4_000)}` },
  { authorization: "Bearer ' OR 1=1 --" },
  { 'x-router-key': '' },
  { 'x-router-key': KEY.repeat(2) },
  { 'x-api-key': 'sésame' },
  { 'x-admin-key': KEY },
  { x_router_key: KEY },
  { 'proxy-authorization': `Bearer ${KEY}` },
  { cookie: `x-api-key=${KEY}; authorization=Bearer ${KEY}` },
]

export function accessConformance(runtime: RuntimeName): void {
  describe(`access on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['org/m'] } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        inbound_api_key: KEY,
        cors_allowed_origins: [ORIGIN, 'http://localhost:5173'],
        passthrough_paths: ['/metrics', '/ping'],
      }),
    })
    const post = (path: string, headers: Record<string, string>, body: unknown = chatBody('org/m')) =>
      postJson(fleet.url + path, body, headers)

    describe('the inbound key', () => {
      test.each(RIGHT_KEYS)('opens as %j', async (headers) => {
        expect((await post(CHAT, headers)).status).toBe(200)
        expect((await ask(`${fleet.url}/v1/models`, { headers })).status).toBe(200)
      })

      test.each(WRONG_KEYS)('does not open as %j', async (headers) => {
        const before = fleet.calls().length
        const answer = await post(CHAT, headers)
        expectRefusal(answer, 'invalid_api_key')
        expect(answer.headers.get('www-authenticate')).toBe('Bearer')
        expect(fleet.calls()).toHaveLength(before)
      })

      test('is wanted by every route that a worker answers', async () => {
        const before = fleet.calls().length
        const routes = [...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES]
        for (const { method, path } of [...routes, { method: 'GET', path: '/metrics' }]) {
          const answer = await ask(fleet.url + path.replace(':id', 'resp_1'), { method })
          expect([path, answer.status]).toEqual([path, 401])
          expectExplained(answer)
        }
        expectRefusal(await ask(`${fleet.url}/v1/models`), 'invalid_api_key')
        expectRefusal(await ask(`${fleet.url}/v1/models/org/m`), 'invalid_api_key')
        expect(fleet.calls()).toHaveLength(before)
      })

      test('is not wanted by the probes of the router itself', async () => {
        for (const path of ['/health', '/liveness', '/readiness', '/version']) {
          expect([path, (await ask(fleet.url + path)).status]).toEqual([path, 200])
        }
      })

      test('every wrong key gets the same words', async () => {
        const answers = await Promise.all([{}, { 'x-api-key': KEY.slice(1) }].map((headers) => post(CHAT, headers)))
        expect(answers[0]?.text).toBe(answers[1]?.text)
        const anthropic = await post('/v1/messages', { 'x-api-key': 'no' })
        expectAnthropicRefusal(anthropic, 'invalid_api_key', 'authentication_error')
      })

      test('is checked before anything of the body: of its type, its length, its JSON', async () => {
        expectRefusal(await post(CHAT, { 'content-type': 'text/plain' }), 'invalid_api_key')
        expectRefusal(await post(CHAT, {}, '{'), 'invalid_api_key')
        // A megabyte has come of the hundred promised; the answer must not wait for the rest.
        const head = rawRequest(`POST ${CHAT}`, ['Content-Type: application/json', 'Content-Length: 100000000'])
        expectRefusal(await sendRaw(fleet.url, head + ' '.repeat(1_000_000)), 'invalid_api_key')
        const chunks = `10000\r\n${' '.repeat(0x10000)}\r\n`.repeat(16)
        const chunked = rawRequest(`POST ${CHAT}`, ['Content-Type: application/json', 'Transfer-Encoding: chunked'])
        expectRefusal(await sendRaw(fleet.url, chunked + chunks), 'invalid_api_key')
        expect((await post(CHAT, { 'x-api-key': KEY })).status).toBe(200)
      })

      test('in the query opens nothing and is not written to the log', async () => {
        const canary = `canary-${runtime}`
        for (const query of [`api_key=${KEY}`, `key=${KEY}&x=${canary}`, `authorization=Bearer%20${KEY}`]) {
          expectRefusal(await post(`${CHAT}?${query}`, {}), 'invalid_api_key')
        }
        expect((await post(`${CHAT}?x=${canary}`, { 'x-router-key': KEY })).status).toBe(200)
        expect(fleet.router.output()).not.toContain(canary)
        expect(fleet.router.output()).not.toContain(KEY)
      })

      test('never reaches the worker', async () => {
        for (const [index, headers] of RIGHT_KEYS.entries()) {
          await post(CHAT, { ...headers, 'x-request-id': `key-${index}` })
          expect(JSON.stringify(fleet.call(`key-${index}`))).not.toContain(KEY)
        }
      })
    })

    describe('browsers of other origins', () => {
      const preflight = (origin: string, path = CHAT) =>
        ask(fleet.url + path, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization,content-type',
          },
        })

      test('a preflight from a listed origin is answered here, without a key', async () => {
        const before = fleet.calls().length
        for (const path of [CHAT, '/v1/models', '/v1/responses/resp_1', '/metrics']) {
          const answer = await preflight(ORIGIN, path)
          expect([path, answer.status]).toEqual([path, 204])
          expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN)
          expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
          expect(answer.headers.get('access-control-allow-headers')).toContain('authorization')
          expect(answer.headers.get('vary')?.toLowerCase()).toContain('origin')
          expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
        }
        expect(fleet.calls()).toHaveLength(before)
      })

      test.each(['https://evil.example.com', 'https://app.example.com.evil.com', 'null', 'http://app.example.com'])(
        'an origin that is not listed gets no leave: %s',
        async (origin) => {
          const answers = [await preflight(origin), await post(CHAT, { origin, 'x-api-key': KEY })]
          for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBeNull()
        },
      )

      test('answers and refusals alike can be read by a listed origin', async () => {
        const statuses = []
        for (const headers of [{ 'x-api-key': KEY }, {}, { 'x-api-key': KEY, 'content-type': 'text/plain' }]) {
          const answer = await post(CHAT, { ...headers, origin: ORIGIN })
          statuses.push(answer.status)
          expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN)
          const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase()
          for (const name of ['x-request-id', 'retry-after', 'x-vllm-router-worker']) expect(exposed).toContain(name)
        }
        expect(statuses).toEqual([200, 401, 415])
        const wrongPath = await ask(`${fleet.url}/nope`, { headers: { origin: ORIGIN } })
        expect([wrongPath.status, wrongPath.headers.get('access-control-allow-origin')]).toEqual([404, ORIGIN])
      })
    })

    describe('passthrough_paths', () => {
      const headers = { 'x-router-key': KEY }

      test('open what they list, with the key, for GET and POST', async () => {
        const metrics = await ask(`${fleet.url}/metrics?a=%20b`, { headers: { ...headers, 'x-request-id': 'm-1' } })
        expect(metrics.status, metrics.text).toBe(200)
        expect(metrics.headers.get('content-type')).toContain('text/plain')
        expect(metrics.text).toContain('vllm:')
        expect(fleet.call('m-1')).toMatchObject({ method: 'GET', target: '/metrics?a=%20b' })
        expectExplained(metrics)
        const ping = await post('/ping', { ...headers, 'x-request-id': 'p-1' }, 'as it is')
        expect(ping.status, ping.text).toBe(200)
        expect(fleet.call('p-1')).toMatchObject({ method: 'POST', target: '/ping', body: 'as it is' })
      })

      test('open nothing else: no other method, no path below or beside', async () => {
        const before = fleet.calls().length
        for (const method of ['PUT', 'DELETE', 'PATCH']) {
          const answer = await ask(`${fleet.url}/metrics`, { method, headers })
          expectRefusal(answer, 'method_not_allowed')
          expect(answer.headers.get('allow')).toBe('GET, POST')
        }
        for (const path of ['/metrics/', '/metrics/x', '/METRICS', '/metricsx', '/load', '/sleep', '/sim/state']) {
          expectRefusal(await ask(fleet.url + path, { headers }), 'not_found')
        }
        expect(fleet.calls()).toHaveLength(before)
      })
    })
  })
}

/** Every answer of a route that a worker serves says how it was routed, refusals included. */
function expectExplained({ headers }: Answered): void {
  expect(headers.get('x-vllm-router-method')).toMatch(/^(?:policy|none|rejected)$/)
  expect(headers.get('x-vllm-router-attempts')).toMatch(/^\d$/)
  expect(headers.get('x-request-id')).toMatch(/^[\w.-]+$/)
}
