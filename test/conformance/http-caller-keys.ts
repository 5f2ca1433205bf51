// Whose key is whose: every way to send one, every way to send none (B54 to B57 of the reliability bar), and where keys and
// tenants show, or never do.

import { describe, expect, test } from 'vitest'
import { INFERENCE_ROUTES, STORED_RESPONSE_ROUTES } from '../../src/routes/catalogue.ts'
import { ask, chatBody, expectAnthropicRefusal, expectRefusal, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'
import { bearer, type CallerFleet, chatAs, CHAT, KEYS } from './caller-fleet.ts'

/** Headers, and the tenant in the record; null for callers that are none. */
const GOOD: readonly (readonly [Readonly<Record<string, string>>, string | null])[] = [
  [{ authorization: `Bearer ${KEYS.search}` }, 'search'],
  [{ authorization: `bearer   ${KEYS.searchToo}` }, 'search'],
  [{ 'x-router-key': KEYS.searchHashed }, 'search'],
  [{ 'x-api-key': KEYS.narrow }, 'narrow'],
  [{ authorization: 'Bearer something-else', 'x-api-key': KEYS.narrow }, 'narrow'],
  [{ authorization: `Basic ${KEYS.search}`, 'x-router-key': KEYS.narrow }, 'narrow'],
  [{ authorization: `Bearer ${KEYS.off}`, 'x-api-key': KEYS.narrow }, 'narrow'],
  [{ authorization: `Bearer ${KEYS.inbound}` }, null],
  [{ 'x-api-key': KEYS.inbound }, null],
  [{ authorization: `Bearer ${KEYS.search}`, 'x-api-key': KEYS.inbound }, 'search'],
]

const HALF = KEYS.search.slice(0, -1)

/** Headers of nobody. */
const BAD: readonly Readonly<Record<string, string>>[] = [
  {},
  ...[
    'Bearer',
    'Bearer undefined',
    'Bearer null',
    'Bearer None',
    'Bearer NaN',
    'Bearer {}',
    'Bearer [object Object]',
    'Bearer ${SEARCH_KEY}',
    `Bearer ${HALF}`,
    `Bearer ${HALF}0`,
    `Bearer ${KEYS.search}0`,
    `Bearer ${KEYS.search.toUpperCase()}`,
    `Bearer ${KEYS.search} ${KEYS.search}`,
    `Bearer "${KEYS.search}"`,
    `Bearer ${KEYS.search},`,
    `Bearer=${KEYS.search}`,
    `Bearer:${KEYS.search}`,
    `Token ${KEYS.search}`,
    `Basic ${Buffer.from(`search:${KEYS.search}`).toString('base64')}`,
    KEYS.search,
    "Bearer ' OR '1'='1",
    'Bearer 1;DROP TABLE tenants',
    "Bearer search'--",
    'Bearer __proto__',
    'Bearer constructor',
    'Bearer search',
    'Bearer *',
    'Bearer ../../etc/passwd',
    'Bearer %00',
    'Bearer %73earch',
    'Bearer $(id)',
    'Bearer {{7*7}}',
    'Bearer ${jndi:ldap://x}',
    'Bearer <script>',
    `Bearer ${'a'.repeat(7_000)}`,
  ].map((authorization) => ({ authorization })),
  { 'x-router-key': '' },
  { 'x-api-key': 'undefined' },
  { 'x-api-key': 's\u00e9arch' },
  { 'x-router-key': `${KEYS.search},${KEYS.narrow}` },
  { 'x-admin-key': KEYS.search },
  { 'x-vllm-tenant': 'search' },
  { 'x-tenant': 'search', 'x-tenant-id': 'search', tenant: 'search' },
  { x_router_key: KEYS.search, x_api_key: KEYS.search },
  { cookie: `authorization=Bearer ${KEYS.search}` },
]

export function callerKeys(fleet: CallerFleet, runtime: RuntimeName): void {
  describe('keys', () => {
    goodKeys(fleet, runtime)
    badKeys(fleet)
    keysThatNeverShow(fleet, runtime)
  })
}

function goodKeys(fleet: CallerFleet, runtime: RuntimeName): void {
  test.each(GOOD)('%j is of %s', async (headers, tenant) => {
    const id = `${runtime}-good-${GOOD.findIndex(([given]) => given === headers)}`
    const answer = await chatAs(fleet, { ...headers, 'x-request-id': id })
    expect(answer.status, answer.text).toBe(200)
    const record = await fleet.router.record(({ request_id: of }) => of === id)
    expect(record['tenant'] ?? null).toBe(tenant)
  })

  test('a tenant that is switched off is told so, in the words of its API', async () => {
    expectRefusal(await chatAs(fleet, bearer('off')), 'tenant_disabled')
    const answer = await postJson(`${fleet.url}/v1/messages`, chatBody('alpha'), { 'x-api-key': KEYS.off })
    expectAnthropicRefusal(answer, 'tenant_disabled', 'permission_error')
    expect(answer.headers.get('www-authenticate')).toBeNull()
  })

  test('no header makes a caller another tenant', async () => {
    const id = `${runtime}-spoof`
    const names = ['x-vllm-tenant', 'x-tenant', 'x-tenant-id', 'x-vllm-router-tenant', 'tenant']
    const spoofed = Object.fromEntries(names.map((name) => [name, 'search']))
    const answer = await chatAs(fleet, { ...bearer('narrow'), ...spoofed, 'x-request-id': id })
    expect(answer.status, answer.text).toBe(200)
    expect(await fleet.router.record(({ request_id: of }) => of === id)).toMatchObject({ tenant: 'narrow' })
    expect(Object.keys(fleet.call(id).headers).filter((name) => names.includes(name))).toEqual([])
    expectRefusal(await chatAs(fleet, { ...bearer('narrow'), ...spoofed }, 'beta'), 'model_not_allowed')
    const shared = await chatAs(fleet, { ...bearer('inbound'), ...spoofed, 'x-request-id': `${id}-shared` })
    expect(shared.status).toBe(200)
    const record = await fleet.router.record(({ request_id: of }) => of === `${id}-shared`)
    expect(record).not.toHaveProperty('tenant')
  })

  test('a rule may be for one tenant', async () => {
    expect((await chatAs(fleet, bearer('search'), 'for-search')).headers.get('x-vllm-router-model')).toBe('beta')
    expectRefusal(await chatAs(fleet, bearer('inbound'), 'for-search'), 'model_not_found')
  })
}

function badKeys(fleet: CallerFleet): void {
  test.each(BAD)('%j opens nothing, in the same words as any other', async (headers) => {
    const before = fleet.calls().length
    const [plain, answer] = await Promise.all([chatAs(fleet, {}), chatAs(fleet, headers)])
    expectRefusal(answer, 'invalid_api_key')
    expect(answer.text).toBe(plain.text)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect(fleet.calls()).toHaveLength(before)
  })

  test('nor does a key of a megabyte, and the server still serves', async () => {
    const headers = ['Content-Type: application/json', 'Content-Length: 2']
    for (const name of ['Authorization: Bearer ', 'X-Api-Key: ']) {
      const request = rawRequest(`POST ${CHAT}`, [...headers, name + 'k'.repeat(1024 * 1024)], '{}')
      // Most servers close the connection on a header of that size; what matters is that none lets it in.
      const status = await sendRaw(fleet.url, request).then(
        (reply) => reply.status,
        () => 'closed',
      )
      expect(['closed', 400, 401, 413, 431]).toContain(status)
    }
    expect((await chatAs(fleet, bearer('search'))).status).toBe(200)
  })

  test('every route wants a key, but for the probes of the router itself', async () => {
    const routes = [...INFERENCE_ROUTES, ...STORED_RESPONSE_ROUTES].map(({ method, path }) => ({ method, path }))
    const others = ['/v1/models', '/v1/models/alpha', '/metrics'].map((path) => ({ method: 'GET', path }))
    for (const { method, path } of [...routes, ...others]) {
      const url = fleet.url + path.replace(':id', 'resp_1')
      for (const headers of [{}, { authorization: 'Bearer nope' }]) {
        expect([path, (await ask(url, { method, headers })).status]).toEqual([path, 401])
      }
    }
    for (const path of ['/health', '/liveness', '/readiness', '/version']) {
      expect([path, (await ask(fleet.url + path)).status]).toEqual([path, 200])
    }
  })
}

function keysThatNeverShow(fleet: CallerFleet, runtime: RuntimeName): void {
  test('no key reaches a worker, a log line or an answer', async () => {
    for (const [index, [headers]] of GOOD.entries()) {
      const id = `${runtime}-shown-${index}`
      const answer = await chatAs(fleet, { ...headers, 'x-request-id': id })
      const told = JSON.stringify([answer.text, [...answer.headers], fleet.call(id)])
      for (const key of Object.values(KEYS)) expect(told).not.toContain(key)
    }
    await chatAs(fleet, bearer('off'))
    for (const key of Object.values(KEYS)) expect(fleet.router.output()).not.toContain(key)
  })
}
