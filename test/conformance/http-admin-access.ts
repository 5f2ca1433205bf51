// Who gets into the admin routes: every route of the catalogue with every kind of key, and without any key at all.

import { describe, expect, test } from 'vitest'
import { ADMIN_SCOPES } from '../../src/access/admin-scopes.ts'
import { ADMIN_ROUTES, type AdminRoute } from '../../src/routes/admin/catalogue.ts'
import { type Answered, ask, expectRefusal } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'
import { rawRequest, sendRaw } from '../support/raw-client.ts'

const INBOUND = 'inbound-0123456789'
const TENANT = 'tenant-0123456789'
const WHOLE = 'whole-0123456789'
const keyWith = (scope: string) => `only-${scope.replace('.', '-')}-0123456789`

const ROUTES: readonly AdminRoute[] = Object.values(ADMIN_ROUTES)
const describeRoute = ({ method, path }: AdminRoute) => `${method} ${path}`

/** A path that names a worker which is not there, so that nothing is done. */
const pathOf = ({ path }: AdminRoute) => path.replace(':id', 'nobody')

/** Let in, whatever the route then made of a request that names nothing. */
function expectLetIn({ status, text }: Answered): void {
  expect([401, 403, 405], text).not.toContain(status)
  // Of an answer that is no refusal its text may count them: metrics do.
  if (status >= 400) expect(text).not.toMatch(/invalid_admin_key|admin_forbidden|admin_not_configured/)
}

export function adminAccessConformance(runtime: RuntimeName): void {
  describe(`admin keys on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => ({
        workers: [{ id: 'only', url: urls.only }],
        inbound_api_key: INBOUND,
        api_keys: [{ name: 'search', key: TENANT }],
        admin_api_key: WHOLE,
        admin_api_keys: ADMIN_SCOPES.map((scope) => ({
          label: `only-${scope}`,
          key: keyWith(scope),
          scopes: [scope],
        })),
        cors_allowed_origins: '*',
        host: '127.0.0.1',
      }),
    })
    /** A body that no route can use: what is let in changes nothing. */
    const call = (route: AdminRoute, headers: Record<string, string>) =>
      ask(fleet.url + pathOf(route), {
        method: route.method,
        headers: { ...headers, 'content-type': 'application/json' },
        ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body: '{"nothing": "of use"}' }),
      })

    describe.each(ROUTES)('$method $path', (route) => {
      test.each([
        {},
        { authorization: 'Bearer wrong' },
        { authorization: WHOLE },
        { authorization: `Basic ${WHOLE}` },
        { authorization: `Bearer ${WHOLE}x` },
        { authorization: `Bearer ${WHOLE.slice(0, -1)}` },
        { authorization: 'Bearer undefined' },
        { 'x-admin-key': '' },
        { 'x-admin-key': 'null' },
        { 'x-router-key': WHOLE },
        { 'x-api-key': WHOLE },
        { cookie: `x-admin-key=${WHOLE}` },
      ])('without an admin key: %j', async (headers) => {
        const answer = await call(route, headers as Record<string, string>)
        expectRefusal(answer, 'invalid_admin_key')
        expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      })

      test.each([INBOUND, TENANT])('a key for inference opens nothing: %s', async (key) => {
        expectRefusal(await call(route, { authorization: `Bearer ${key}` }), 'admin_forbidden')
        expectRefusal(await call(route, { 'x-admin-key': key }), 'admin_forbidden')
      })

      test.each(ADMIN_SCOPES)('a key with the scope %s alone', async (scope) => {
        const answer = await call(route, { authorization: `Bearer ${keyWith(scope)}` })
        if (route.scopes.includes(scope)) expectLetIn(answer)
        else expectRefusal(answer, 'admin_forbidden')
      })

      test('a key with every scope, in either header, beside a wrong one in the other', async () => {
        expectLetIn(await call(route, { authorization: `Bearer ${WHOLE}` }))
        expectLetIn(await call(route, { 'x-admin-key': WHOLE }))
        expectLetIn(await call(route, { 'x-admin-key': WHOLE, authorization: `Bearer ${INBOUND}` }))
        expectLetIn(await call(route, { 'x-admin-key': 'wrong', authorization: `bearer ${WHOLE}` }))
      })

      test('no page of another origin may read it', async () => {
        const origin = 'https://evil.example'
        const answer = await call(route, { authorization: `Bearer ${WHOLE}`, origin })
        expect(answer.headers.get('access-control-allow-origin')).toBeNull()
        const preflight = await ask(fleet.url + pathOf(route), {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': route.method },
        })
        expectRefusal(preflight, 'method_not_allowed')
        expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
      })
    })

    test('an admin key is no key for inference', async () => {
      const answer = await ask(`${fleet.url}/v1/models`, { headers: { authorization: `Bearer ${WHOLE}` } })
      expectRefusal(answer, 'invalid_api_key')
    })

    test.each([...new Set(ROUTES.map(({ path }) => path))])('%s takes its own methods only', async (path) => {
      const allowed = ROUTES.filter((route) => route.path === path).map(({ method }) => method)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !allowed.includes(one as 'GET'))) {
        const answer = await ask(fleet.url + path.replace(':id', 'only'), {
          method,
          headers: { authorization: `Bearer ${WHOLE}` },
        })
        expectRefusal(answer, 'method_not_allowed')
        expect(answer.headers.get('allow')).toBe(allowed.join(', '))
      }
    })

    test.each([
      '/admin',
      '/admin/',
      '/admin/nope',
      '/admin/config/',
      '/admin/Config',
      '/workers/',
      '/workers/a/b',
      '/worker',
    ])('there is no %s', async (path) => {
      expectRefusal(await ask(fleet.url + path, { headers: { authorization: `Bearer ${WHOLE}` } }), 'not_found')
    })

    test('answers are kept by nobody', async () => {
      const answer = await ask(`${fleet.url}/admin/stats`, { headers: { 'x-admin-key': WHOLE } })
      expect(answer.headers.get('cache-control')).toBe('no-store')
    })

    test('the log says whose key it was, and no key', async () => {
      await call(ADMIN_ROUTES.showStats, { 'x-admin-key': keyWith('read') })
      await fleet.router.told('"route":"/admin/stats","by":"only-read","status":200')
      expect(fleet.router.output()).not.toContain('0123456789')
    })
  })

  describe(`without any admin key on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => ({ workers: [{ id: 'only', url: urls.only }], inbound_api_key: INBOUND }),
    })

    test('this machine gets in, by its own name', async () => {
      expect((await ask(`${fleet.url}/admin/stats`)).status).toBe(200)
      const { port } = new URL(fleet.url)
      for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
        const own = [`Host: ${host}`, `Origin: http://${host}`]
        expect((await sendRaw(fleet.url, rawRequest('GET /admin/stats', own.slice(0, 1)))).status).toBe(200)
        expect((await sendRaw(fleet.url, rawRequest('GET /admin/stats', own))).status).toBe(200)
      }
    })

    test.each(ROUTES.map((route) => ({ route, name: describeRoute(route) })))(
      '$name: pages, other names and proxies do not',
      async ({ route }) => {
        const strangers: readonly (readonly string[])[] = [
          ['Host: evil.example'],
          ['Host: localhost.'],
          ['Host: 127.0.0.1.evil.example'],
          ['Host: localhost', 'Origin: https://evil.example'],
          ['Host: localhost', 'Origin: null'],
          ['Host: localhost', 'Origin: http://localhost:5173'],
          ['Host: localhost', 'Sec-Fetch-Site: cross-site'],
          ['Host: localhost', 'X-Forwarded-For: 203.0.113.9'],
        ]
        for (const headers of strangers) {
          const answer = await sendRaw(fleet.url, rawRequest(`${route.method} ${pathOf(route)}`, headers))
          expect([answer.status, answer.text], headers.join()).toEqual([
            403,
            expect.stringContaining('admin_not_configured'),
          ])
        }
      },
    )
  })

  describe(`without any admin key on ${runtime}, bound to every address`, () => {
    const fleet = liveFleet(runtime, {
      workers: { only: { models: ['m'] } },
      config: (urls) => ({ workers: [{ id: 'only', url: urls.only }] }),
      args: ['--host', '0.0.0.0'],
    })

    test.each(ROUTES)('$method $path is closed to everybody, with a word on why', async (route) => {
      const answer = await ask(fleet.url + pathOf(route), { method: route.method })
      expectRefusal(answer, 'admin_not_configured')
      expect(answer.json().error.message).toContain('admin_api_key')
    })
  })
}
