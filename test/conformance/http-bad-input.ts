// Bad input over the wire: each case is a clear 4xx or a documented acceptance, no refused request reaches a worker, and
// after the whole table the server still serves.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { type Answered, expectRefusal } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { sendRaw } from '../support/raw-client.ts'
import {
  ACCEPTED,
  type BadRequest,
  CHAT,
  CHUNKED,
  exact,
  FORMS,
  GOOD,
  JSON_TYPE,
  KEY,
  MALFORMED,
  MAX_BODY_BYTES,
  ROUTES,
  STATED_LENGTH,
  STEERING,
  TYPES,
  WIRE,
} from './bad-input-cases.ts'
import { ADMIN_KEY, callerInput } from './bad-input-callers.ts'
import { ODD_HEADERS, ODD_HOSTS, ODD_TARGETS } from './bad-input-headers.ts'
import { operatorInput } from './bad-input-operators.ts'
import { bearer, callerFleet, chatAs } from './caller-fleet.ts'

/** How many numbers of the matrix must have run here, over real sockets. */
const LEAST_ROWS = 60

/** Rows that other suites prove, with their file and the beginning of the test's title. */
const LISTED: readonly (readonly [string, string, string])[] = [
  ['B20', 'http-outcomes.ts', 'a connection that breaks before the answer: sent once more, to another worker'],
  ['B57', 'http-admin-access.ts', '$method $path is closed to everybody, with a word on why'],
  ['B61', 'http-limit-rates.ts', 'count when they fail'],
  ['B63', 'http-key-services.ts', 'an outage keeps nobody out who was in, and lets nobody in who was not'],
  [
    'B72',
    'http-admin-secrets.ts',
    'none is in any admin answer, good or bad, nor in any error, record or line of the log',
  ],
]

const ROOT = new URL('../../', import.meta.url)
const readText = (path: string) => readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8')

export function badInputConformance(runtime: RuntimeName): void {
  const ran = new Set<string>()
  const noteRow = () => {
    afterEach(({ task }) => {
      const [id] = /^B\d\d(?= )/.exec(task.name) ?? []
      if (id !== undefined) ran.add(id)
    })
  }

  describe(`bad input of callers and operators on ${runtime}`, () => {
    noteRow()
    const fleet = callerFleet(runtime, {
      admin_api_key: ADMIN_KEY,
      allowed_worker_hosts: ['http://127.0.0.1:*'],
      log_level: 'info',
    })
    callerInput(fleet)
    operatorInput(fleet)

    test('after all of that the server still serves, and its log has no defect', async () => {
      expect((await chatAs(fleet, bearer('search'))).status).toBe(200)
      expect(fleet.router.output()).not.toContain('"event":"defect"')
    })
  })

  describe(`bad input on ${runtime}`, () => {
    noteRow()
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['org/m'] } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        inbound_api_key: KEY,
        max_payload_size: MAX_BODY_BYTES,
      }),
    })

    let count = 0

    async function isServing(): Promise<void> {
      const { status, text } = await sendRaw(fleet.url, toBytes({ name: 'good', body: GOOD }))
      expect(status, text).toBe(200)
    }

    test.each([...MALFORMED, ...STEERING, ...TYPES, ...FORMS, ...ROUTES, ...ODD_TARGETS])(
      '$name: $code',
      async (refused) => {
        const before = fleet.calls().length
        const startedAtMs = performance.now()
        const answer: Answered = await sendRaw(fleet.url, toBytes(refused))
        expectRefusal(answer, refused.code)
        expect(answer.text.length).toBeLessThan(600)
        expect(answer.text).not.toContain(KEY)
        expect(performance.now() - startedAtMs).toBeLessThan(3_000)
        expect(fleet.calls()).toHaveLength(before)
      },
    )

    test.each(WIRE)('$name: refused', async (refused) => {
      const before = fleet.calls().length
      // A server may also just close: there is no telling where the next request would begin.
      const status = await sendRaw(fleet.url, toBytes(refused)).then(
        (answer) => answer.status,
        (error: Error) => (error.message.includes('connection') ? 400 : 0),
      )
      expect(refused.statuses).toContain(status)
      expect(fleet.calls()).toHaveLength(before)
    })

    test.each([...ACCEPTED, ...ODD_HEADERS])('$name: accepted', async (accepted) => {
      const id = `${accepted.name.slice(0, 40).replaceAll(/[^A-Za-z0-9]/g, '-')}-${(count += 1)}`
      const headers = [...(accepted.headers ?? [JSON_TYPE]), `X-Request-Id: ${id}`]
      const answer = await sendRaw(fleet.url, toBytes({ ...accepted, headers }))
      expect(accepted.statuses ?? [200], answer.text).toContain(answer.status)
      const call = fleet.call(id)
      expect(call.body).toBe(Buffer.from(accepted.body ?? '').toString())
      accepted.seen?.(call)
    })

    test('B30 a length beside a transfer coding: refused, or read as chunked alone and sent on with one of the two', async () => {
      const headers = [STATED_LENGTH, 'Transfer-Encoding: chunked', 'X-Request-Id: both-lengths']
      const { status } = await sendRaw(fleet.url, toBytes(exact('', headers, [], CHUNKED)))
      expect([200, 400]).toContain(status)
      if (status === 400) return
      const { headers: seen, body } = fleet.call('both-lengths')
      expect(body).toBe(GOOD)
      expect([seen['content-length'], seen['transfer-encoding']]).toContain(undefined)
    })

    test('B26 ten thousand headers: refused, or none of them goes on', async () => {
      const many = Array.from({ length: 10_000 }, (_, at) => `X-${at}: a`)
      const headers = [...many, STATED_LENGTH, 'X-Request-Id: many-headers']
      const { status } = await sendRaw(fleet.url, toBytes(exact('', headers, [])))
      expect([200, 400, 431]).toContain(status)
      if (status === 200) expect(Object.keys(fleet.call('many-headers').headers).length).toBeLessThan(20)
    })

    test('B12 a length that is more than what comes: no worker is called', async () => {
      const before = fleet.calls().length
      const cut = exact('', [`Content-Length: ${GOOD.length + 10}`], [])
      await sendRaw(fleet.url, toBytes(cut), { endsWriting: true, limitMs: 1_500 }).catch(() => null)
      expect(fleet.calls()).toHaveLength(before)
    })

    test('B12 a length that is less than what comes: the rest is no second request', async () => {
      const short = exact('', [`Content-Length: ${GOOD.length}`, 'X-Request-Id: short-length'], [], `${GOOD}garbage`)
      const { status } = await sendRaw(fleet.url, toBytes(short))
      // Node takes the rest for a broken request and says 400 to both.
      expect([200, 400]).toContain(status)
      if (status === 200) expect(fleet.call('short-length').body).toBe(GOOD)
      expect(JSON.stringify(fleet.calls())).not.toContain('garbage')
    })

    test.each([
      '',
      ' ',
      'a b',
      'a'.repeat(129),
      'x\u00e9y',
      '<script>',
      '../../etc',
      'a,b',
      'a;b',
      '{{7*7}}',
      'a/b',
      '%0d%0a',
    ])('B27 the request id %j is replaced', async (offered) => {
      const answer = await sendRaw(
        fleet.url,
        toBytes({ name: '', headers: [JSON_TYPE, `X-Request-Id: ${offered}`], body: GOOD }),
      )
      expect(answer.status).toBe(200)
      const id = answer.headers.get('x-request-id') ?? ''
      expect(id).toMatch(/^req-[0-9a-f]{32}$/)
      expect(fleet.call(id).headers['x-request-id']).toBe(id)
    })

    test.each(ODD_HOSTS)('B32 the host %j leads nowhere else', async (host) => {
      const before = fleet.calls().length
      for (const target of ['/nope', '/v1/models', CHAT]) {
        const { status } = await sendRaw(
          fleet.url,
          `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        )
        expect([target, status]).toEqual([target, 400])
      }
      expect(fleet.calls()).toHaveLength(before)
    })

    test('B79 few packages are depended on, each pinned with what it must hash to', () => {
      expect(Object.keys(JSON.parse(readText('package.json')).dependencies).length).toBeLessThanOrEqual(10)
      const { packages } = JSON.parse(readText('package-lock.json'))
      const fetched = Object.entries<{ resolved?: string; integrity?: string; link?: boolean }>(packages).filter(
        ([path, { link }]) => path !== '' && link !== true,
      )
      expect(fetched.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([])
    })

    test.each(LISTED)('%s is proved in %s: %s', (_, file, title) => {
      expect(readText(`test/conformance/${file}`)).toContain(title)
    })

    test('after all of that the server still serves, and its log has no defect', async () => {
      await Promise.all(Array.from({ length: 20 }, isServing))
      expect(fleet.router.output()).not.toContain('"event":"defect"')
      expect(fleet.router.output()).not.toContain(KEY)
    })

    test(`at least ${LEAST_ROWS} numbers of the matrix have run`, () => {
      const proved = [...ran].filter((id) => !LISTED.some(([listed]) => listed === id))
      expect(proved.length, proved.sort().join(' ')).toBeGreaterThanOrEqual(LEAST_ROWS)
    })
  })
}

function toBytes(request: BadRequest): Uint8Array {
  const { method = 'POST', target = CHAT, body = '', isExact = false, version = 'HTTP/1.1' } = request
  const payload = typeof body === 'string' ? Buffer.from(body) : body
  const own = isExact ? [] : [`X-Api-Key: ${KEY}`]
  const needsLength = !request.headers?.some((header) => /^(?:content-length|transfer-encoding)/i.test(header))
  const stated = needsLength && method !== 'GET' ? [`Content-Length: ${payload.length}`] : []
  const headers = ['Host: router.test', ...(request.headers ?? [JSON_TYPE]), ...own, ...stated, 'Connection: close']
  const head = Buffer.from(`${method} ${target} ${version}\r\n${headers.join('\r\n')}\r\n\r\n`, 'latin1')
  return Buffer.concat([head, payload])
}
