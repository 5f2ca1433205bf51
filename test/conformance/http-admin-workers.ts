// Workers through the admin API: seen, added, drained, put back, taken out; and never at a host that nobody listed.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'
const CHAT = '/v1/chat/completions'

const named = (id: string) => encodeURIComponent(id)

export function adminWorkersConformance(runtime: RuntimeName): void {
  describe(`workers through the API on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        a: { models: ['m'] },
        b: { models: ['m'] },
        keyed: { models: ['m', 'k'], apiKey: 'worker-0123456789' },
        slow: { models: ['slow'], itlMs: 50, outputTokens: 40 },
      },
      config: (urls) => ({
        workers: [
          { id: 'a', url: urls.a, labels: { zone: 'x' } },
          { id: 'keyed', url: urls.keyed, api_key: 'worker-0123456789' },
          { id: 'slow', url: urls.slow },
        ],
        admin_api_key: ADMIN,
        allowed_worker_hosts: ['http://127.0.0.1:*'],
        config_env: ['LISTED'],
        allow_anonymous: true,
      }),
      env: { LISTED: 'worker-0123456789', UNLISTED: 'unlisted-0123456789' },
    })
    const admin = adminClient(() => fleet.url, ADMIN)
    const chat = (model = 'm') => postJson(fleet.url + CHAT, chatBody(model))

    /** Workers that answered some requests for `m`. */
    async function servedBy(count = 12): Promise<Set<string | null>> {
      const answers = await Promise.all(Array.from({ length: count }, () => chat()))
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => 200))
      return new Set(answers.map(({ headers }) => headers.get('x-vllm-router-worker')))
    }

    test('are listed with what is known of them', async () => {
      await chat()
      await until(
        async () => (await admin.get('/workers')).json().healthy === 3,
        10_000,
        () => 'they are not all up',
      )
      const { workers, total, healthy, draining } = (await admin.get('/workers')).json()
      expect([total, healthy, draining]).toEqual([3, 3, 0])
      expect(workers[0]).toMatchObject({
        id: 'a',
        url: fleet.worker('a').url,
        models: ['m'],
        labels: { zone: 'x' },
        weight: 1,
        is_healthy: true,
        availability: 'up',
        reason: expect.any(String),
        draining: false,
        drain: null,
        load: 0,
        has_api_key: false,
        breaker: { state: 'closed' },
      })
      expect(workers[1]).toMatchObject({ id: 'keyed', has_api_key: true })
    })

    test('are shown one by one, by id and by URL in any spelling', async () => {
      const { url } = fleet.worker('a')
      for (const name of ['a', named(url), named(`${url}/`), named(url.replace('127.0.0.1', '127.1'))]) {
        const shown = await admin.get(`/workers/${name}`)
        expect([shown.status, shown.json().id], shown.text).toEqual([200, 'a'])
      }
      expectRefusal(await admin.get('/workers/nobody'), 'worker_not_found')
      expectRefusal(await admin.get(`/workers/${named('10.9.9.9:1')}`), 'worker_not_found')
    })

    test.each(['/workers/..%2fmetrics', '/workers/a%2f..%2f..%2fadmin', '/workers/a%00', '/workers/%ff'])(
      'a name that two parsers could read differently is refused: %s',
      async (path) => expectRefusal(await admin.get(path), 'invalid_path'),
    )

    test('their metrics come through, asked with their keys', async () => {
      const metrics = await admin.get('/workers/keyed/metrics')
      expect(metrics.status, metrics.text.slice(0, 200)).toBe(200)
      expect(metrics.headers.get('content-type')).toBe('text/plain; charset=utf-8')
      expect(metrics.text).toContain('vllm:')
      const asked = fleet
        .worker('keyed')
        .state()
        .requests.filter(({ target }) => target === '/metrics')
      expect(asked.at(-1)?.headers['authorization']).toBe('Bearer worker-0123456789')
      expectRefusal(await admin.get('/workers/nobody/metrics'), 'worker_not_found')
    })

    test('one is added, works, and is taken out again', async () => {
      const { url } = fleet.worker('b')
      const added = await admin.post('/workers', { id: 'b', url, models: ['m'], labels: { zone: 'y' } })
      expect([added.status, added.json()], added.text).toEqual([
        201,
        expect.objectContaining({ status: 'ok', workers_added: ['b'], workers_removed: [], changed: ['workers'] }),
      ])
      await until(
        async () => (await servedBy()).has('b'),
        10_000,
        () => 'the new worker is not used',
      )
      const removed = await admin.delete(`/workers/${named(url)}`)
      expect(removed.json()).toMatchObject({ status: 'ok', workers_removed: ['b'] })
      expect([...(await servedBy())]).not.toContain('b')
      expectRefusal(await admin.delete('/workers/b'), 'worker_not_found')
    })

    test('one that is there already is refused', async () => {
      const { url } = fleet.worker('a')
      for (const entry of [{ url }, { url: `${url}/` }, { id: 'a', url: fleet.worker('b').url }]) {
        expectRefusal(await admin.post('/workers', entry), 'worker_exists')
      }
    })

    test.each([
      [{}, 'workers[3].url'],
      [{ url: 7 }, 'workers[3].url'],
      [{ url: 'grpc://127.0.0.1:1' }, 'workers[3].url'],
      [{ url: 'http://127.0.0.1:1', wieght: 1 }, 'workers[3].wieght'],
      [{ url: 'http://127.0.0.1:1', weight: 0 }, 'workers[3].weight'],
      [{ url: 'http://127.0.0.1:1', api_key: '***' }, 'workers[3].api_key'],
      [{ url: 'http://127.0.0.1:1', api_key: '${UNLISTED}' }, 'api_key'],
      [{ url: 'http://127.0.0.1:1', api_key: '${UNLISTED:-x}' }, 'api_key'],
    ])('%j is no worker', async (entry, path) => {
      const refused = await admin.post('/workers', entry)
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.json().error.findings).toMatchObject([{ path, message: expect.any(String) }])
      expect(refused.text).not.toContain('unlisted-0123456789')
    })

    test('a key can come from a listed variable', async () => {
      await admin.delete('/workers/keyed')
      const entry = { id: 'keyed', url: fleet.worker('keyed').url, api_key: '${LISTED}' }
      expect((await admin.post('/workers', entry)).status).toBe(201)
      expect((await admin.get('/workers/keyed/metrics')).status).toBe(200)
    })

    test.each([
      'http://169.254.169.254/latest',
      'http://10.0.0.1:80',
      'http://localhost:9',
      'http://localhost.:9',
      'http://[::1]:9',
      'http://[::ffff:10.0.0.1]:9',
      'http://[64:ff9b::a00:1]:9',
      'http://0.0.0.0:9',
      'http://[::]:9',
      'https://127.0.0.1:9',
      'http://127.0.0.1.evil.example:9',
      'http://evil.example:9',
      'http://ⓛocalhost:9',
    ])('a host that nobody listed is out of reach: %s', async (url) => {
      const refused: Answered[] = [
        await admin.post('/workers', { id: 'evil', url }),
        await admin.putConfig({ workers: [{ url }], admin_api_key: ADMIN, allow_anonymous: true }),
      ]
      for (const answer of refused) {
        expect([answer.status, answer.json().error.code], answer.text).toEqual([400, 'config_refused'])
        expect(answer.text).toContain('allowed_worker_hosts')
      }
    })

    test.each([
      'http://user:pw@127.0.0.1:9',
      'file:///etc/passwd',
      'data:text/plain,x',
      'unix:/run/x.sock',
      'http:127.0.0.1',
    ])('nor is anything that is no plain URL: %s', async (url) => {
      const refused = await admin.post('/workers', { url })
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.text).not.toContain('user:pw')
    })

    test('other spellings of a listed host are that host', async () => {
      const { port } = new URL(fleet.worker('b').url)
      for (const host of ['127.1', '0x7f.1', '2130706433']) {
        const added = await admin.post('/workers', { id: 'spelled', url: `http://${host}:${port}`, models: ['m'] })
        expect(added.status, added.text).toBe(201)
        expect((await admin.get('/workers/spelled')).json().url).toBe(fleet.worker('b').url)
        expect((await admin.delete('/workers/spelled')).status).toBe(200)
      }
    })

    describe('draining', () => {
      test('takes a worker out without cutting what it does, and puts it back', async () => {
        const stream = await send(fleet.url + CHAT, { ...chatBody('slow'), stream: true, max_tokens: 40 }).reply
        await stream.until('data:')
        const drained = await admin.post('/admin/drain', { url: fleet.worker('slow').url, timeout_secs: 60 })
        expect([drained.status, drained.json()]).toEqual([
          202,
          { status: 'draining', id: 'slow', url: fleet.worker('slow').url, timeout_secs: 60 },
        ])
        const status = (await admin.get('/admin/drain/status?id=slow')).json()
        expect(status).toMatchObject({ id: 'slow', draining: true, state: 'draining', current_load: 1 })
        expect((await chat('slow')).status).toBe(503)
        expect((await stream.rest()).toString()).toContain('[DONE]')
        await until(
          async () => (await admin.get('/admin/drain/status?id=slow')).json().state === 'parked',
          15_000,
          () => 'the drain does not end',
        )
        expect((await admin.get('/admin/drain/status?id=slow')).json()).toMatchObject({
          current_load: 0,
          draining: true,
        })
        expect((await admin.post('/admin/undrain', { id: 'slow' })).json()).toMatchObject({
          status: 'active',
          id: 'slow',
        })
        expect((await admin.get('/admin/drain/status?id=slow')).json()).toMatchObject({
          draining: false,
          state: 'active',
        })
        expect((await chat('slow')).status).toBe(200)
      })

      test.each([
        [{ id: 'nobody' }, 'worker_not_found'],
        [{ url: '10.9.9.9:1' }, 'worker_not_found'],
        [{}, 'invalid_request'],
        [{ id: 'a', url: 'http://127.0.0.1:1' }, 'invalid_request'],
        [{ id: 'a', timeout_secs: -1 }, 'invalid_request'],
        [{ id: 'a', timeout_secs: '5' }, 'invalid_request'],
        [{ id: 'a', extra: 1 }, 'invalid_request'],
        [[], 'invalid_request'],
        [null, 'invalid_request'],
      ] as const)('%j is refused', async (body, code) => {
        expectRefusal(await admin.post('/admin/drain', body), code)
        expect((await admin.get('/workers')).json().draining).toBe(0)
      })

      test('is asked for in JSON, and about a worker', async () => {
        const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'text/plain' }
        const refused = await ask(`${fleet.url}/admin/drain`, { method: 'POST', headers, body: '{"id":"a"}' })
        expectRefusal(refused, 'unsupported_media_type')
        expectRefusal(await admin.get('/admin/drain/status?id=nobody'), 'worker_not_found')
        expectRefusal(await admin.get('/admin/drain/status'), 'invalid_request')
      })
    })

    describe('statistics', () => {
      test('have the groups that programs for the Rust router read', async () => {
        const stats = (await admin.get('/admin/stats')).json()
        expect(stats).toMatchObject({
          uptime_secs: expect.any(Number),
          cache: { backend: 'none', exact_entries: 0, semantic_entries: 0 },
          workers: { total: 3, healthy: expect.any(Number), draining: 0 },
          policies: { default: 'round_robin', per_model: {} },
          decisions_logged: expect.any(Number),
          tenants: { count: 0, entries: [] },
          covers: runtime === 'workerd' ? 'isolate' : 'process',
        })
        expect(stats.decisions_logged).toBeGreaterThan(0)
      })

      test('decisions come newest first, as many as asked for', async () => {
        const ids = ['one', 'two', 'three']
        for (const id of ids) await postJson(fleet.url + CHAT, chatBody('m'), { 'x-request-id': `ring-${id}` })
        const { decisions } = (await admin.get('/admin/decisions?limit=3')).json()
        expect(decisions.map((line: { request_id: string }) => line.request_id)).toEqual(
          ids.map((id) => `ring-${id}`).toReversed(),
        )
        expect((await admin.get('/admin/decisions')).json().decisions.length).toBeLessThanOrEqual(50)
        for (const limit of ['0', '-1', '1001', 'x', '1e2', '1.5', '%20', '']) {
          expectRefusal(await admin.get(`/admin/decisions?limit=${limit}`), 'invalid_request')
        }
      })
    })
  })
}
