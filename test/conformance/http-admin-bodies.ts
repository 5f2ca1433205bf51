// What an operator may send as a configuration: YAML or JSON by its type, in UTF-8, and each key once.

import { beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask, expectRefusal } from '../support/ask.ts'
import type { RuntimeName } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'

export function adminBodiesConformance(runtime: RuntimeName): void {
  describe(`configurations as bodies on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: { a: { models: ['m'] } },
      config: (urls) => ({ workers: [{ id: 'a', url: urls.a }], admin_api_key: ADMIN, allow_anonymous: true }),
    })
    const admin = adminClient(() => fleet.url, ADMIN)
    const config = (more: object = {}) => ({
      workers: [{ id: 'a', url: fleet.worker('a').url }],
      admin_api_key: ADMIN,
      allow_anonymous: true,
      ...more,
    })
    const put = (body: string | Uint8Array<ArrayBuffer>, headers: Readonly<Record<string, string>>) =>
      ask(`${fleet.url}/admin/config`, { method: 'PUT', headers: { 'x-admin-key': ADMIN, ...headers }, body })
    const yaml = (more = '') =>
      `workers: [{id: a, url: "${fleet.worker('a').url}"}]\nadmin_api_key: ${ADMIN}\nallow_anonymous: true\n${more}`

    beforeEach(async () => {
      const restored = await admin.putConfig(config())
      expect(restored.status, restored.text).toBe(200)
    })

    test.each([
      'application/yaml',
      'application/x-yaml',
      'text/yaml',
      'text/x-yaml',
      'Application/YAML; charset=utf-8',
      'text/yaml;charset="UTF-8"',
    ])('YAML as %s', async (type) => {
      const taken = await put(yaml('log_level: warn\n'), { 'content-type': type })
      expect([taken.status, taken.json().changed], taken.text).toEqual([200, ['log_level']])
    })

    test.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON;charset=UTF-8'])(
      'JSON as %s, however it is laid out',
      async (type) => {
        for (const indent of [undefined, 2, '\t']) {
          const marked = config({
            api_keys: [{ name: 'x', key: 'x-0123456789', metadata: { t: '"\\\u2028\u{1f600}/\t' } }],
          })
          const text = JSON.stringify(marked, null, indent).replaceAll('\u{1f600}', String.raw`\ud83d\ude00`)
          const taken = await put(`\ufeff${text.replace('/', String.raw`\/`)}\r\n`, { 'content-type': type })
          expect(taken.status, taken.text).toBe(200)
          const { tenants } = (await admin.get('/admin/tenants')).json()
          expect(tenants[0].metadata).toEqual({ t: '"\\\u2028\u{1f600}/\t' })
        }
      },
    )

    test.each([
      'application/yaml; charset=utf-16',
      'application/json; charset=iso-8859-1',
      'application/json; boundary=x',
      'application/jsonx',
      'application/merge-patch+json',
      'application/yaml, application/json',
      'text/html',
    ])('nothing as %s', async (type) => {
      expectRefusal(await put(yaml(), { 'content-type': type }), 'unsupported_media_type')
    })

    test('no compressed body, and none in another encoding', async () => {
      const headers = { 'content-type': 'application/yaml' }
      const zipped = await put(yaml(), { ...headers, 'content-encoding': 'gzip' })
      expectRefusal(zipped, 'unsupported_media_type')
      const utf16 = new Uint8Array(Buffer.from(`\ufeff${yaml()}`, 'utf16le'))
      expectRefusal(await put(utf16, headers), 'invalid_request')
    })

    test.each([
      ['{"log_level": "info", "log_level": "debug"}', 'log_level'],
      ['{"timeouts": {"idle": 5, "idle": 6}}', 'timeouts.idle'],
      [String.raw`{"log_level": "info", "log\u005flevel": "debug"}`, 'log_level'],
    ])('no key twice, where two readers could take one or the other: %s', async (text, path) => {
      const whole = `${JSON.stringify(config()).slice(0, -1)},${text.slice(1)}`
      const refused = await put(whole, { 'content-type': 'application/json' })
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.json().error.findings).toMatchObject([{ path, message: expect.stringContaining('twice') }])
    })

    test.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])('no key called %s', async (key) => {
      const text = `${JSON.stringify(config()).slice(0, -1)},${JSON.stringify(key)}: {"port": 1}}`
      const refused = await put(text, { 'content-type': 'application/json' })
      expect([refused.status, refused.json().error.code], refused.text).toEqual([400, 'config_refused'])
      expect(refused.json().error.findings).toMatchObject([{ path: key }])
    })

    test('deep JSON is refused, not read to its end', async () => {
      const deep = `{"workers": ${'['.repeat(5_000)}${']'.repeat(5_000)}}`
      const refused = await put(deep, { 'content-type': 'application/json' })
      expect(refused.status, refused.text).toBe(400)
      expect((await admin.get('/admin/config')).status).toBe(200)
    })
  })
}
