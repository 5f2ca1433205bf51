// A configuration through the API is no way to services, files and networks that no operator listed.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask, chatBody, postJson } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'
const KEY = 'inbound-0123456789'

interface Finding {
  readonly severity: string
  readonly path: string
}

export function adminReachConformance(runtime: RuntimeName): void {
  describe(`what a configuration through the API reaches on ${runtime}`, () => {
    /** A service of somebody else's; what it was asked. */
    const asked: string[] = []
    const inner = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`)
      response.end('{"action": "allow"}')
    })
    let innerUrl = ''
    beforeAll(async () => {
      await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve))
      innerUrl = `http://127.0.0.1:${(inner.address() as AddressInfo).port}`
    })
    afterAll(() => void inner.close())

    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] } },
      config: (urls) => config(urls.a),
    })
    const admin = adminClient(() => fleet.url, ADMIN)

    function config(url: string, more: object = {}) {
      return {
        workers: [{ id: 'a', url }],
        inbound_api_key: KEY,
        admin_api_key: ADMIN,
        allowed_worker_hosts: ['http://127.0.0.1:*'],
        allowed_service_hosts: ['https://*.internal', 'http://10.0.0.*:9000'],
        ...more,
      }
    }
    const put = (more: object) => admin.putConfig(config(fleet.worker('a').url, more))
    const chat = (key: string) =>
      postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'), { authorization: `Bearer ${key}` })

    test.each([
      [
        (url: string) => ({ pre_routing_hooks: [{ name: 'x', url: `${url}/latest/meta-data` }] }),
        'pre_routing_hooks[0].url',
      ],
      [(url: string) => ({ api_key_validation_urls: [`${url}/`] }), 'api_key_validation_urls[0]'],
      [
        () => ({ pre_routing_hooks: [{ name: 'x', url: 'http://169.254.169.254/latest' }] }),
        'pre_routing_hooks[0].url',
      ],
      [() => ({ pre_routing_hooks: [{ name: 'x', url: 'http://2852039166/' }] }), 'pre_routing_hooks[0].url'],
      [() => ({ pre_routing_hooks: [{ name: 'x', url: 'http://[::ffff:a9fe:a9fe]/' }] }), 'pre_routing_hooks[0].url'],
      [() => ({ pre_routing_hooks: [{ name: 'x', url: 'http://auth.internal/' }] }), 'pre_routing_hooks[0].url'],
      [() => ({ pre_routing_hooks: [{ name: 'x', url: 'https://internal/' }] }), 'pre_routing_hooks[0].url'],
      [
        () => ({ api_key_validation_urls: ['https://a.internal/', 'http://10.0.0.7:9001/'] }),
        'api_key_validation_urls[1]',
      ],
      [() => ({ allowed_service_hosts: ['http://127.0.0.1:*'] }), 'allowed_service_hosts[0]'],
      [() => ({ decision_log: { export_path: '/tmp/somewhere-else.jsonl' } }), 'decision_log.export_path'],
    ])('nothing that is not listed: %#', async (section, path) => {
      const refused = await put(section(innerUrl))
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      const errors = refused.json().error.findings.filter(({ severity }: Finding) => severity === 'error')
      expect(errors).toMatchObject([{ path, line: expect.any(Number) }])
      expect((await chat(KEY)).status).toBe(200)
      expect(asked).toEqual([])
    })

    test('listed services, and what runs already', async () => {
      const hooked = { pre_routing_hooks: [{ name: 'x', url: 'http://10.0.0.7:9000/check', models: ['nobody'] }] }
      for (let at = 0; at < 2; at += 1) {
        const changed = await put({ ...hooked, api_key_validation_urls: ['https://keys.internal/v2'] })
        expect(changed.status, changed.text).toBe(200)
      }
      expect((await put({})).status).toBe(200)
    })

    test('no binding that no worker uses', async () => {
      const bound = { id: 'b', url: 'http://127.0.0.1:9', models: ['x'], binding: 'FLEET' }
      const refused = await admin.post('/workers', bound)
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.json().error.findings[0].path).toBe('workers[1].binding')
    })

    test('redirects of a worker are not followed where an operator looks', async () => {
      const redirecting = createServer((request, response) => {
        const isMetrics = request.url === '/metrics'
        response.writeHead(isMetrics ? 302 : 200, isMetrics ? { location: `${innerUrl}/secret` } : {})
        response.end('{"data": []}')
      })
      await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`
      const entry = { id: 'r', url, models: ['r'], api_key: 'worker-0123456789' }
      expect((await admin.post('/workers', entry)).status).toBe(201)
      expect((await admin.get('/workers/r/metrics')).status).toBe(502)
      expect(asked).toEqual([])
      expect((await admin.delete('/workers/r')).status).toBe(200)
      redirecting.close()
    })

    test('a configuration without admin keys is taken, with a word on what that closes', async () => {
      const { admin_api_key: key, ...keyless } = config(fleet.worker('a').url)
      expect(key).toBe(ADMIN)
      const taken = await admin.putConfig(keyless)
      expect(taken.status, taken.text).toBe(200)
      expect(taken.json().warnings).toMatchObject([{ path: 'admin_api_key' }])
      // The router listens on a loopback address, so this machine gets in without a key, and back.
      const back = await ask(`${fleet.url}/admin/config/rollback`, { method: 'POST' })
      expect(back.status, back.text).toBe(200)
      expect((await admin.get('/admin/stats')).status).toBe(200)
    })
  })

  describe(`admin keys where a service checks keys on ${runtime}`, () => {
    const asked: string[] = []
    const service = createServer((request, response) => {
      asked.push(request.headers.authorization ?? '')
      response.end()
    })
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] } },
      async config(urls) {
        await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
        return {
          workers: [{ id: 'a', url: urls.a }],
          admin_api_key: ADMIN,
          api_key_validation_urls: [`http://127.0.0.1:${(service.address() as AddressInfo).port}/check`],
        }
      },
    })
    afterAll(() => void service.close())

    test('are not shown to it, and are no keys for inference', async () => {
      const chat = (headers: Record<string, string>) =>
        postJson(`${fleet.url}/v1/chat/completions`, chatBody('m'), headers)
      expect((await chat({ authorization: `Bearer ${ADMIN}` })).status).toBe(401)
      expect((await chat({ 'x-router-key': ADMIN })).status).toBe(401)
      expect((await chat({ authorization: `Bearer ${ADMIN}`, 'x-api-key': 'theirs-0123456789' })).status).toBe(200)
      expect(asked).toEqual(['Bearer theirs-0123456789'])
    })
  })
}
