// Which headers cross the router, as the worker and the client see them on the wire, and the keys that workers get.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, chatBody, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { startRawWorker, type RawWorker, wholeAnswer } from '../support/raw-worker.ts'

const CHAT = '/v1/chat/completions'
const ODD_MODEL = '模型/é🚀 +100%'

/** Reach the worker with their value. */
const PASSED: Readonly<Record<string, string>> = {
  'content-language': 'de',
  accept: 'application/json, text/event-stream;q=0.5',
  'accept-language': 'de-CH, de;q=0.9',
  'user-agent': 'a-client/1.0 (test)',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=1,other=2',
  baggage: 'a=1,b=2;p=%20',
  'x-routed-by': 'semantic-router',
  'x-model-preference': 'fast',
  'x-correlation-id': 'c-1',
  'x-session-id': 's 1 (two)',
  'x-semantic-cluster-id': '7',
  'x-semantic-anything': 'at all',
  'x-team': 'of the configuration',
}

/** Never reach a worker, under no spelling. */
const DROPPED: Readonly<Record<string, string>> = {
  Authorization: 'Bearer canary-1',
  'X-Api-Key': 'canary-2',
  'X-Router-Key': 'canary-3',
  'X-Admin-Key': 'canary-4',
  'Proxy-Authorization': 'Basic canary-5',
  Cookie: 'session=canary-6',
  Cookie2: 'canary-7',
  'X-Vllm-Tenant': 'canary-8',
  'X-VLLM-Router-Worker': 'canary-9',
  'X-Vsr-Selected-Model': 'canary-10',
  'X-Authz-User-Groups': 'canary-11',
  'X-Data-Parallel-Rank': '99',
  'X-data-parallel-rank-hint': 'canary-12',
  X_Team: 'canary-13',
  'Keep-Alive': 'canary-14',
  TE: 'trailers, canary-15',
  Trailer: 'canary-16',
  Upgrade: 'canary-17',
  'X-Forwarded-For': 'canary-18',
  Forwarded: 'for=canary-19',
  'X-Real-Ip': 'canary-20',
  Origin: 'https://canary-21.example.com',
  Referer: 'https://canary-22.example.com/',
  'X-Unknown': 'canary-23',
  'OpenAI-Organization': 'canary-24',
  'Anthropic-Beta': 'canary-25',
  Range: 'bytes=0-1',
  'If-None-Match': 'canary-26',
  'X-Semantic': 'canary-27',
  Expect: '100-continue',
  'Content-Md5': 'canary-28',
}

export function headersConformance(runtime: RuntimeName): void {
  describe(`headers on ${runtime}`, () => {
    let raw: RawWorker
    beforeAll(async () => {
      raw = await startRawWorker('raw')
    })
    afterAll(() => raw.close())
    const fleet = liveFleet(runtime, {
      workers: {
        own: { models: ['own', ODD_MODEL], apiKey: 'key-own' },
        byId: { models: ['by-id'], apiKey: 'key-by-id' },
        byUrl: { models: ['by-url'], apiKey: 'key-by-url' },
        shared: { models: ['shared'], apiKey: 'key-shared' },
        ranks: { models: ['ranks'], dataParallelSize: 4 },
      },
      config: (urls) => ({
        mode: { type: 'regular', worker_urls: [urls.byUrl] },
        workers: [
          { id: 'own', url: urls.own, api_key: 'key-own' },
          { id: 'by-id', url: urls.byId },
          { id: 'shared', url: urls.shared },
          { id: 'ranks', url: urls.ranks, data_parallel_size: 4 },
          { id: 'raw', url: raw.url },
        ],
        api_key: 'key-shared',
        worker_api_keys: { 'by-id': 'key-by-id', [urls.byUrl]: 'key-by-url', own: 'not-this-one' },
        forward_headers: ['x-team', 'X-Tags'],
      }),
    })

    function sendChat(model: string, lines: readonly string[], path = CHAT) {
      const body = JSON.stringify(chatBody(model))
      const headers = ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, ...lines]
      const head = rawRequest(`POST ${path}`, headers)
      return sendRaw(fleet.url, Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]))
    }
    const lines = (headers: Readonly<Record<string, string>>) =>
      Object.entries(headers).map(([name, value]) => `${name}: ${value}`)

    /** What the worker got on the wire: header names in lower case. */
    async function onTheWire(sent: readonly string[]): Promise<Map<string, string>> {
      const head = new Promise<string>((resolve) => {
        raw.answer(({ head, socket }) => {
          resolve(head)
          socket.write(wholeAnswer('200 OK', 'application/json', '{}'))
        })
      })
      expect((await sendChat('raw', sent)).status).toBe(200)
      const [, ...received] = (await head).split('\r\n')
      return new Map(
        received.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      )
    }

    describe('to the worker', () => {
      test('those of the list pass with their value, those of forward_headers too', async () => {
        const seen = await onTheWire(lines(PASSED))
        for (const [name, value] of Object.entries(PASSED)) expect([name, seen.get(name)]).toEqual([name, value])
      })

      test('nothing else passes: no key, no cookie, nothing that steers', async () => {
        const seen = await onTheWire(lines(DROPPED))
        const ours = new Set(['authorization', 'host', 'accept', 'accept-encoding', 'connection'])
        for (const name of Object.keys(DROPPED)) {
          if (!ours.has(name.toLowerCase())) expect([name, seen.get(name.toLowerCase())]).toEqual([name, undefined])
        }
        expect(JSON.stringify([...seen])).not.toContain('canary')
        expect(seen.get('authorization')).toBe('Bearer key-shared')
        // What a runtime adds by itself is the only thing beyond our own headers.
        const added = 'content-type content-length x-request-id user-agent accept-language sec-fetch-mode'
        const known = [...added.split(' '), ...ours]
        expect([...seen.keys()].filter((name) => !known.includes(name))).toEqual([])
      })

      test('what Connection names belongs to the connection, listed or not', async () => {
        const named = ['Connection: x-team, X-Session-Id,authorization, , no token', 'X-Team: a', 'X-Session-Id: b']
        const seen = await onTheWire([...named, 'X-Correlation-Id: c'])
        expect([seen.get('x-team'), seen.get('x-session-id')]).toEqual([undefined, undefined])
        expect(seen.get('x-correlation-id')).toBe('c')
        expect(seen.get('authorization')).toBe('Bearer key-shared')
        expect(seen.get('connection') ?? 'keep-alive').toBe('keep-alive')
      })

      test('a value that is not plain ASCII is left out, and the request goes on', async () => {
        const odd = [
          'X-Session-Id: caf\u00e9',
          'X-Semantic-A: \u00e4\u00b8\u00ad',
          'X-Team: a\tb',
          'X-Correlation-Id: fine',
        ]
        const seen = await onTheWire(odd)
        expect([seen.get('x-session-id'), seen.get('x-semantic-a'), seen.get('x-team')]).toEqual([
          undefined,
          undefined,
          undefined,
        ])
        expect(seen.get('x-correlation-id')).toBe('fine')
      })

      test('a header that repeats is one list', async () => {
        const seen = await onTheWire(['X-Team: a', 'x-team: b', 'X-Tags: c'])
        expect(seen.get('x-team')).toBe('a, b')
        expect(seen.get('x-tags')).toBe('c')
      })

      test('answers are asked for plain, whatever the client would take; the host is the worker’s', async () => {
        const seen = await onTheWire(['Accept-Encoding: gzip, br, zstd'])
        expect(seen.get('accept-encoding')).toBe('identity')
        expect(seen.get('host')).toBe(new URL(raw.url).host)
      })
    })

    describe('worker keys: its own, else by id or URL, else the common one', () => {
      test.each([
        ['own', 'own'],
        ['by-id', 'by-id'],
        ['by-url', 'by-url'],
        ['shared', 'shared'],
      ])('%s', async (model, key) => {
        const headers = { 'x-request-id': `keyed-${model}`, authorization: 'Bearer of-the-client' }
        const answer = await postJson(fleet.url + CHAT, chatBody(model), headers)
        expect(answer.status, answer.text).toBe(200)
        expect(fleet.call(`keyed-${model}`).headers['authorization']).toBe(`Bearer key-${key}`)
      })

      test('their lists of models are read with the same keys', async () => {
        const { data } = (await ask(`${fleet.url}/v1/models`)).json()
        const ids = data.map(({ id }: { id: string }) => id)
        expect(ids.sort()).toEqual(['by-id', 'by-url', 'own', 'ranks', 'raw', 'shared', ODD_MODEL])
      })
    })

    describe('data-parallel ranks', () => {
      test('each is addressed by X-data-parallel-rank, and all get their turn', async () => {
        const ranks = []
        for (let turn = 0; turn < 8; turn += 1) {
          const id = `rank-${turn}`
          const answer = await sendChat('ranks', [`X-Request-Id: ${id}`, 'X-Data-Parallel-Rank: 7'])
          expect(answer.status, answer.text).toBe(200)
          expect(answer.headers.get('x-vllm-router-worker')).toBe('ranks')
          ranks.push(fleet.call(id).headers['x-data-parallel-rank'])
        }
        expect(ranks.sort()).toEqual(['0', '0', '1', '1', '2', '2', '3', '3'])
      })

      test('a plain worker gets none', async () => {
        await sendChat('own', ['X-Request-Id: no-rank', 'X-Data-Parallel-Rank: 1'])
        expect(fleet.call('no-rank').headers).not.toHaveProperty('x-data-parallel-rank')
      })
    })

    describe('the request id', () => {
      test('is made when there is none, sent on and answered', async () => {
        const answer = await sendChat('own', [])
        const id = answer.headers.get('x-request-id') ?? ''
        expect(id).toMatch(/^req-[0-9a-f]{32}$/)
        expect(fleet.call(id).headers['x-request-id']).toBe(id)
      })

      test.each(['abc', 'A.b_c-9', 'x'.repeat(128)])('%s of the client is kept', async (id) => {
        const answer = await sendChat('own', [`X-Request-Id: ${id}`])
        expect(answer.headers.get('x-request-id')).toBe(id)
        expect(fleet.call(id).headers['x-request-id']).toBe(id)
      })

      test('on answers of the router’s own too', async () => {
        for (const path of ['/health', '/nope', '/v1/models', '/v1;x']) {
          const answer = await sendRaw(fleet.url, rawRequest(`GET ${path}`, ['X-Request-Id: mine-1']))
          expect([path, answer.headers.get('x-request-id')]).toEqual([path, 'mine-1'])
        }
      })
    })

    describe('back to the client', () => {
      const HOSTILE = [
        'Set-Cookie: session=worker; Path=/',
        'Set-Cookie: shard=7',
        'Server: uvicorn',
        'X-Internal: gpu-node-17.internal:8000',
        'X-Request-Id: of-the-worker',
        'X-Vllm-Router-Worker: forged',
        'X-Vllm-Router-Cluster: forged',
        'X-Vllm-Anything: forged',
        'Access-Control-Allow-Origin: *',
        'Location: http://10.0.0.1/',
        'WWW-Authenticate: Basic',
        'Alt-Svc: h3=":443"',
        'Link: <http://10.0.0.1/>; rel=preload',
        'X-Note: caf\u00e9',
        'Keep-Alive: timeout=5, max=77',
        'Strict-Transport-Security: max-age=1',
        'Content-Disposition: attachment; filename="a.json"',
        'Content-Language: de',
        'Cache-Control: no-store',
        'Retry-After: 7',
      ]
      async function answerWith(headers: readonly string[], body = '{"a":1}') {
        raw.answer(({ socket }) => {
          const own = [`Content-Length: ${Buffer.byteLength(body)}`, ...headers]
          socket.write(Buffer.from(`HTTP/1.1 200 OK\r\n${own.join('\r\n')}\r\n\r\n${body}`, 'latin1'))
        })
        return sendChat('raw', ['X-Request-Id: mine'])
      }

      test('what describes the answer comes through, nothing of the worker’s inside does', async () => {
        const { status, headers, text } = await answerWith(['Content-Type: application/json', ...HOSTILE])
        expect([status, text]).toEqual([200, '{"a":1}'])
        expect(Object.fromEntries(headers)).toMatchObject({
          'content-type': 'application/json',
          'content-disposition': 'attachment; filename="a.json"',
          'content-language': 'de',
          'cache-control': 'no-store',
          'retry-after': '7',
          'content-length': '7',
          'x-request-id': 'mine',
          'x-vllm-router-worker': 'raw',
        })
        const described = 'content-type content-disposition content-language cache-control retry-after content-length'
        const known = `${described} x-request-id date connection keep-alive vary transfer-encoding`.split(' ')
        const explained = 'attempts cache-status decision-id method model policy worker'.split(' ')
        const others = [...headers.keys()].filter((name) => !known.includes(name))
        expect(others.sort()).toEqual(explained.map((name) => `x-vllm-router-${name}`))
        expect(JSON.stringify([...headers])).not.toMatch(/forged|10\.0\.0\.1|uvicorn|worker;|gpu-node|max=77/)
      })

      test('a content type that is not ASCII, or none, breaks nothing', async () => {
        for (const type of ['Content-Type: text/caf\u00e9', 'X-Type: none']) {
          const { status, text } = await answerWith([type], 'plain text')
          expect([status, text]).toEqual([200, 'plain text'])
        }
      })

      test('names that are not ASCII are encoded the same way everywhere', async () => {
        const answer = await sendChat(ODD_MODEL, [])
        expect(answer.status, answer.text).toBe(200)
        const encoded = answer.headers.get('x-vllm-router-model') ?? ''
        expect(encoded).toBe('%E6%A8%A1%E5%9E%8B/%C3%A9%F0%9F%9A%80 +100%25')
        expect(decodeURIComponent(encoded)).toBe(ODD_MODEL)
      })
    })
  })
}
