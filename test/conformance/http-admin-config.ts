// Configurations through the admin API: taken whole or not at all, kept, and taken back.

import { beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, ask, chatBody, expectRefusal, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'
const KEY = 'inbound-0123456789'
const CHAT = '/v1/chat/completions'

interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** The findings of a refused configuration, as `line path`. */
function placesOf(answer: Answered): string[] {
  expect([answer.status, answer.json().error.code], answer.text).toEqual([400, 'config_refused'])
  return answer.json().error.findings.map(({ line, path }: Finding) => `${line} ${path}`)
}

export function adminConfigConformance(runtime: RuntimeName): void {
  describe(`configurations on ${runtime}`, () => {
    let port = 0
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] }, b: { models: ['m'] } },
      config: (urls) => {
        port = Number(new URL(urls.b).port)
        return base(urls)
      },
      env: { LISTED: 'listed-0123456789', UNLISTED: 'unlisted-0123456789' },
    })
    const admin = adminClient(() => fleet.url, ADMIN)

    function base({ a }: { readonly a: string }) {
      return {
        workers: [{ id: 'a', url: a }],
        inbound_api_key: KEY,
        admin_api_key: ADMIN,
        admin_api_keys: [{ label: 'ops', key: 'ops-0123456789' }],
        allowed_worker_hosts: ['http://127.0.0.1:*'],
        allowed_service_hosts: ['http://127.0.0.1:*'],
        config_env: ['LISTED'],
        log_level: 'info',
      }
    }
    const current = (more: object = {}) => ({ ...base({ a: fleet.worker('a').url }), ...more })
    const chat = (key = KEY, requestId = 'any') =>
      postJson(fleet.url + CHAT, chatBody('m'), { authorization: `Bearer ${key}`, 'x-request-id': requestId })

    beforeEach(async () => {
      const restored = await admin.putConfig(current())
      expect(restored.status, restored.text).toBe(200)
    })

    test('what runs is shown whole, with its hash, and without its keys', async () => {
      const shown = await admin.get('/admin/config')
      const { hash, config, sequence, origin } = shown.json()
      expect(shown.headers.get('etag')).toBe(`"${hash}"`)
      expect(config).toMatchObject({
        inbound_api_key: '***',
        admin_api_keys: [{ label: 'ops', key: '***' }],
        policy: { type: 'round_robin' },
        timeouts: { connect: '5000ms' },
        workers: [{ id: 'a', url: fleet.worker('a').url }],
      })
      expect([sequence, origin]).toEqual([expect.any(Number), expect.any(String)])
      expect(shown.text).not.toContain('0123456789')
    })

    test('the hash is the same in the answer, in what is shown, in the versions and in records', async () => {
      const { hash } = (await admin.putConfig(current({ responses: { ttl_secs: 77 } }))).json()
      expect((await admin.get('/admin/config')).json().hash).toBe(hash)
      expect((await admin.get('/admin/config/versions')).json().versions[0]).toMatchObject({
        hash,
        is_current: true,
        by: 'admin_api_key',
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      })
      expect((await admin.get('/admin/stats')).json().config_hash).toBe(hash)
      const { status } = await chat(KEY, `hash-of-${hash}`)
      expect(status).toBe(200)
      const record = await fleet.router.record((line) => line['request_id'] === `hash-of-${hash}`)
      expect(record['config_hash']).toBe(hash)
    })

    test('a change reaches everything: keys, workers, policy, hooks, rules, limits, headers, CORS', async () => {
      const origin = 'https://app.example.com'
      const changed = await admin.putConfig({
        ...current(),
        workers: [{ id: 'b', url: fleet.worker('b').url, models: ['m'] }],
        inbound_api_key: 'next-0123456789',
        policy: { type: 'least_load' },
        pre_routing_hooks: [{ name: 'gone', url: 'http://127.0.0.1:9/', timeout_ms: 500 }],
        model_rules: [{ match: 'alias', rewrite: 'm' }],
        max_payload_size: 5_000,
        worker_display: 'id',
        cors_allowed_origins: [origin],
        passthrough_paths: ['/metrics'],
      })
      expect(changed.json()).toMatchObject({
        status: 'ok',
        workers_added: ['b'],
        workers_removed: ['a'],
        changed: [
          'cors_allowed_origins',
          'inbound_api_key',
          'max_payload_size',
          'model_rules',
          'passthrough_paths',
          'policy',
          'pre_routing_hooks',
          'worker_display',
          'workers',
        ],
        needs_restart: [],
      })
      expectRefusal(await chat(KEY), 'invalid_api_key')
      const key = { authorization: 'Bearer next-0123456789', origin }
      const answer = await postJson(fleet.url + CHAT, chatBody('alias'), key)
      expect(answer.status, answer.text).toBe(200)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'x-vllm-router-worker': 'b',
        'x-vllm-router-policy': 'least_load',
        'x-vllm-router-model': 'm',
        'x-vllm-router-hooks': expect.stringContaining('gone'),
        'access-control-allow-origin': origin,
      })
      expectRefusal(
        await postJson(fleet.url + CHAT, { ...chatBody('m'), user: 'x'.repeat(6_000) }, key),
        'body_too_large',
      )
      expect((await ask(`${fleet.url}/metrics`, { headers: key })).status).toBe(200)
    })

    test('tenants come and go with a change', async () => {
      await admin.putConfig(current({ api_keys: [{ name: 'search', key: 'search-0123456789' }] }))
      expect((await chat('search-0123456789')).status).toBe(200)
      const { tenants } = (await admin.get('/admin/tenants')).json()
      expect(tenants).toMatchObject([{ name: 'search', enabled: true, total_requests: 1, total_rate_limited: 0 }])
      await admin.putConfig(current())
      expectRefusal(await chat('search-0123456789'), 'invalid_api_key')
      expect((await admin.get('/admin/tenants')).json()).toMatchObject({ tenants: [], message: expect.any(String) })
    })

    test('an admin key that a change removes is dead at once', async () => {
      const ops = adminClient(() => fleet.url, 'ops-0123456789')
      expect((await ops.get('/admin/stats')).status).toBe(200)
      await admin.putConfig(current({ admin_api_keys: [] }))
      expectRefusal(await ops.get('/admin/stats'), 'invalid_admin_key')
    })

    test('bad, then good: everything wrong is listed with its line, what runs goes on, the next one works', async () => {
      const before = (await admin.get('/admin/config')).json()
      const text = 'workers:\n  - url: grpc://a\n    wieght: 2\nprot: 1\nlog_level: loud\n'
      const bad = await admin.putConfig(`${text}admin_api_key: ${ADMIN}\n`)
      expect(placesOf(bad)).toEqual(['2 workers[0].url', '3 workers[0].wieght', '4 prot', '5 log_level'])
      expect((await admin.get('/admin/config')).json()).toEqual(before)
      expect((await chat()).status).toBe(200)
      expect((await admin.putConfig(current({ log_level: 'debug' }))).json().changed).toEqual(['log_level'])
    })

    test.each([
      ['', '0'],
      ['[]', '1'],
      ['a: [', '1'],
      ['a: &a [*a]', '1'],
      ['a: &a {b: 1}\nc:\n  <<: *a', '1'],
      ['!!js/function "x"', '1'],
      ['a: 1\na: 2', '1'],
      [`workers: ${'['.repeat(2_000)}`, '1'],
      [Array.from({ length: 12 }, (_, at) => `a${at}: &a${at} [*a${at - 1}, *a${at - 1}]`).join('\n'), '1'],
    ])('no text of any kind takes the router down: %#', async (text) => {
      const refused = await admin.putConfig(text)
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.json().error.findings.length).toBeGreaterThan(0)
      expect((await chat()).status).toBe(200)
    })

    test('as much as 512 KiB is read, and no more', async () => {
      const padded = (bytes: number) => `${JSON.stringify(current())}\n#${'x'.repeat(bytes)}`
      expect((await admin.putConfig(padded(500 * 1024))).status).toBe(200)
      expectRefusal(await admin.putConfig(padded(512 * 1024)), 'body_too_large')
    })

    test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])(
      'a body of type "%s" is refused',
      async (type) => {
        const refused = await admin.putConfig(current(), { 'content-type': type })
        expect([415, 400]).toContain(refused.status)
        expect(refused.json().error.code).toBe('unsupported_media_type')
      },
    )

    test('JSON must be JSON, and text must be UTF-8', async () => {
      const headers = { 'content-type': 'application/json' }
      expectRefusal(await admin.putConfig('workers: []', headers), 'invalid_json')
      const bytes = new Uint8Array([0x61, 0x3a, 0xff])
      const init = {
        method: 'PUT',
        headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'text/yaml' },
        body: bytes,
      }
      expectRefusal(await ask(`${fleet.url}/admin/config`, init), 'invalid_request')
    })

    describe('variables', () => {
      test('resolve where config_env lists them', async () => {
        const answer = await admin.putConfig(current({ inbound_api_key: '${LISTED}' }))
        expect(answer.status, answer.text).toBe(200)
        expect((await chat('listed-0123456789')).status).toBe(200)
      })

      test.each(['${UNLISTED}', '${UNLISTED:-fallback}', '${HOME}', '${PATH:-x}', 'x-${LISTED}${UNLISTED}'])(
        'are refused where it does not: %s',
        async (value) => {
          const refused = await admin.putConfig(current({ default_model: value }))
          expect(placesOf(refused)).toEqual(['1 default_model'])
          expect(refused.text).toMatch(/environment variable (?:UNLISTED|HOME|PATH), which config_env/)
          expect(refused.text).not.toContain('unlisted-0123456789')
        },
      )

      test('can not be listed by what asks for them, in one step or two', async () => {
        const grown = current({ config_env: ['LISTED', 'UNLISTED'] })
        expect(placesOf(await admin.putConfig({ ...grown, default_model: '${UNLISTED}' }))).toHaveLength(2)
        expect(placesOf(await admin.putConfig(grown))).toEqual(['1 config_env[1]'])
      })
    })

    describe('If-Match', () => {
      test('lets a change through that was made from what runs', async () => {
        const { hash } = (await admin.get('/admin/config')).json()
        expect((await admin.putConfig(current({ log_level: 'warn' }), { 'if-match': `"${hash}"` })).status).toBe(200)
        expectRefusal(await admin.putConfig(current(), { 'if-match': `"${hash}"` }), 'config_mismatch')
        expect((await admin.putConfig(current(), { 'if-match': '*' })).status).toBe(200)
      })
    })

    test('of fifty changes at once one wins each sequence, and the others are told', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => admin.putConfig(current({ responses: { ttl_secs: 1_000 + at } }))),
      )
      const won = answers.filter(({ status }) => status === 200)
      expect(won.length).toBeGreaterThan(0)
      for (const lost of answers.filter((answer) => !won.includes(answer))) expectRefusal(lost, 'config_conflict')
      const sequences = won.map((answer) => answer.json().sequence)
      expect(new Set(sequences).size).toBe(won.length)
      const last = won.find((answer) => answer.json().sequence === Math.max(...sequences))
      expect((await admin.get('/admin/config')).json().hash).toBe(last?.json().hash)
    })

    describe('versions', () => {
      test('the one before comes back, keys and all', async () => {
        const before = (await admin.get('/admin/config')).json()
        await admin.putConfig(current({ inbound_api_key: 'other-0123456789' }))
        expectRefusal(await chat(), 'invalid_api_key')
        const back = await admin.post('/admin/config/rollback')
        expect(back.json()).toMatchObject({ status: 'ok', hash: before.hash, changed: ['inbound_api_key'] })
        expect((await chat()).status).toBe(200)
      })

      test('any kept one comes back by its hash', async () => {
        const hashes: string[] = []
        for (const seconds of [1, 2, 3]) {
          hashes.push((await admin.putConfig(current({ responses: { ttl_secs: seconds } }))).json().hash)
        }
        const back = await admin.post('/admin/config/rollback', { hash: hashes[0] })
        expect(back.json().hash).toBe(hashes[0])
        const { versions } = (await admin.get('/admin/config/versions')).json()
        const [one, two, three] = hashes
        expect(versions.slice(0, 4).map(({ hash }: { hash: string }) => hash)).toEqual([one, three, two, one])
        expect(versions.map((version: { is_current: boolean }) => version.is_current).filter(Boolean)).toHaveLength(1)
      })

      test.each([
        [{ hash: '0'.repeat(16) }, 'config_version_not_found'],
        [{ hash: '../../etc/passwd' }, 'invalid_request'],
        [{ hash: 7 }, 'invalid_request'],
        [{ hsah: '0'.repeat(16) }, 'invalid_request'],
      ] as const)('there is no %j', async (body, code) => {
        expectRefusal(await admin.post('/admin/config/rollback', body), code)
      })
    })

    test('where it listens stays until a restart, and the answer says so', async () => {
      const changed = await admin.putConfig(current({ port }))
      expect(changed.json()).toMatchObject({ changed: ['port'], needs_restart: ['port'] })
      expect((await chat()).status).toBe(200)
    })

    test('a hook and its breaker stay through changes of anything else', async () => {
      const hooked = { pre_routing_hooks: [{ name: 'dead', url: 'http://127.0.0.1:9/', timeout_ms: 500 }] }
      await admin.putConfig(current(hooked))
      for (let at = 0; at < 5; at += 1) await chat()
      expect((await chat()).headers.get('x-vllm-router-hooks')).toBe('dead:open')
      await admin.putConfig(current({ ...hooked, responses: { ttl_secs: 5 } }))
      expect((await chat()).headers.get('x-vllm-router-hooks')).toBe('dead:open')
    })
  })
}
