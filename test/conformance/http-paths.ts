// Paths that two parsers could read differently. Over bare sockets, as every HTTP library would tidy them up first.

import { describe, expect, test } from 'vitest'
import { expectRefusal, chatBody } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const KEY = 'sesame-0123456789'

/** Refused with 400 by every runtime. */
const TRICKS = listOf(
  // Characters encoded that need no encoding: another layer may match the plain path.
  '/%6detrics /metric%73 /%76%31/models /v1/%63hat/completions /v1/chat%2Dx /v1/models/%41',
  '/health%2f /v1%2fmodels /v1%2Fchat%2Fcompletions /%2fmetrics /v1/responses/..%2f..%2fmetrics',
  // Encoded twice.
  '/%256detrics /v1/%252e%252e/metrics /v1/models/%25 /v1/models/a%252Fb',
  // Dot segments that hide in a model id.
  '/v1/models/..%2fmetrics /v1/models/..%2F..%2Fmetrics /v1/models/a%2f.%2fb /v1/models/a%2F%2Fb',
  '//metrics /v1//models /v1/chat//completions /// /metrics// /v1/models//',
  '/metrics;x /;/metrics /v1/chat/completions;a=b /v1/models/org;x/m',
  '/metrics%00 /%00/metrics /v1/chat/completions%00 /v1/models/%0a /v1/models/a%0d%0ab /metrics%20',
  '/metrics% /metrics%f /v1/models/%zz /v1/models/%u0061 /%',
  '/metrics%ff /v1/models/%c0%af /v1/models/%ed%a0%80 /v1/models/%5c',
)

/** Dot segments and backslashes: 400 where the runtime shows them. */
const NORMALISED = listOf(
  '/x/../metrics /v1/./models /v1/../metrics /./metrics /v1/models/../../metrics /metrics/.',
  '/v1/%2e%2e/metrics /v1/models/%2E%2E/%2e%2e/metrics /%2e/metrics /v1/chat/x/../completions',
  '/\\metrics /v1\\models /v1/models\\..\\..\\metrics /v1/chat\\completions',
)

/** Plain paths that are none of ours. */
const STRANGERS = [
  '/metrics/',
  '/v1/chat/completions/',
  '/v1/CHAT/completions',
  '/V1/models',
  '/Metrics',
  '/v1',
  '/v1/',
]

export function pathConformance(runtime: RuntimeName): void {
  describe(`paths on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['org/m'] } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        inbound_api_key: KEY,
        passthrough_paths: ['/metrics'],
      }),
    })
    const body = JSON.stringify(chatBody('org/m'))
    function request(method: string, target: string, headers: readonly string[] = []) {
      const ofBody = method === 'POST' ? ['Content-Type: application/json', `Content-Length: ${body.length}`] : []
      const text = rawRequest(`${method} ${target}`, [...headers, ...ofBody], method === 'POST' ? body : '')
      return sendRaw(fleet.url, text)
    }

    test.each(TRICKS)('%s is 400, with the key too', async (target) => {
      const before = fleet.calls().length
      for (const method of ['GET', 'POST']) {
        expectRefusal(await request(method, target), 'invalid_path')
        expectRefusal(await request(method, target, [`X-Api-Key: ${KEY}`]), 'invalid_path')
      }
      expect(fleet.calls()).toHaveLength(before)
    })

    // Bun hands out URLs that it has normalised, and nothing of what came over the wire.
    test.skipIf(runtime === 'bun').each(NORMALISED)(
      '%s is 400 where the runtime shows it (not Bun)',
      async (target) => {
        for (const method of ['GET', 'POST']) {
          expectRefusal(await request(method, target, [`X-Api-Key: ${KEY}`]), 'invalid_path')
        }
      },
    )

    test('whatever a path is normalised to meets the same guard: no trick gets by without the key', async () => {
      const before = fleet.calls().length
      for (const target of [...TRICKS, ...NORMALISED, ...STRANGERS]) {
        for (const method of ['GET', 'POST', 'HEAD']) {
          const { status } = await request(method, target)
          expect([400, 401, 404, 405], `${method} ${target}`).toContain(status)
        }
      }
      expect(fleet.calls()).toHaveLength(before)
    })

    test.each(STRANGERS)('%s is no route of ours: 404, with the key too', async (target) => {
      const before = fleet.calls().length
      expectRefusal(await request('GET', target, [`X-Api-Key: ${KEY}`]), 'not_found')
      expectRefusal(await request('POST', target, [`X-Api-Key: ${KEY}`]), 'not_found')
      expect(fleet.calls()).toHaveLength(before)
    })

    test('a host that holds a path, a query or a user reaches no other route than the one asked for', async () => {
      const hosts = ['x/metrics?y=', 'x/health?', 'x/health#', 'x\\health?', 'a@b', 'x/v1/models', 'x y', '[::1']
      for (const host of hosts) {
        const headers = [`Host: ${host}`, `X-Api-Key: ${KEY}`]
        const answer = await request('GET', '/nope', headers)
        expect([host, answer.status]).toEqual([host, 400])
        expect([host, (await request('GET', '/metrics', headers)).status]).toEqual([host, 400])
      }
    })

    test.each(['router.test', 'router.test:8080', '127.0.0.1:1', '[::1]:3001', 'UPPER.example'])(
      'the host %s makes no difference',
      async (host) => {
        const answer = await request('GET', '/health', [`Host: ${host}`])
        expect(answer.json()).toEqual({ status: 'ok' })
      },
    )

    test('the absolute form of a target is the same path, and no other host', async () => {
      expect((await request('GET', 'http://elsewhere.example/health')).json()).toEqual({ status: 'ok' })
      expectRefusal(await request('GET', 'http://elsewhere.example/%6detrics'), 'invalid_path')
      expectRefusal(await request('GET', 'http://elsewhere.example/v1/models'), 'invalid_api_key')
    })

    // workerd itself refuses a request without a Host header, before any handler.
    test.skipIf(runtime === 'workerd')('HTTP/1.0 without a host, as load balancers ask (not workerd)', async () => {
      expect((await sendRaw(fleet.url, 'GET /health HTTP/1.0\r\n\r\n')).json()).toEqual({ status: 'ok' })
      const head = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nX-Api-Key: ${KEY}`
      const chat = await sendRaw(fleet.url, `POST /v1/chat/completions?a=1 HTTP/1.0\r\n${head}\r\n\r\n${body}`)
      expect(chat.status, chat.text).toBe(200)
      expect(fleet.calls().at(-1)).toMatchObject({ target: '/v1/chat/completions?a=1', body })
      for (const target of ['/ab/metrics', '/abc/v1/models', '/a/health', '//metrics', '/%6detrics']) {
        const trick = await sendRaw(fleet.url, `GET ${target} HTTP/1.0\r\nX-Api-Key: ${KEY}\r\n\r\n`)
        expect([target, [400, 404].includes(trick.status)]).toEqual([target, true])
      }
    })
  })
}

/** Several lines of paths as one list. */
function listOf(...lines: readonly string[]): readonly string[] {
  return lines.join(' ').split(' ')
}
