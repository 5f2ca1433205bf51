// Changes of the configuration in the middle of work: nothing fails, and each request ends under what it began with.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'
const CHAT = '/v1/chat/completions'
const RELOADS = 100
const CLIENTS = 8

export function adminLoadConformance(runtime: RuntimeName): void {
  describe(`changes under load on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        a: { models: ['m'] },
        b: { models: ['m'] },
        slow: { models: ['slow'], itlMs: 40, outputTokens: 50 },
      },
      config: (urls) => config(urls),
    })
    const admin = adminClient(() => fleet.url, ADMIN)

    function config(urls: Readonly<Record<'a' | 'b' | 'slow', string>>, more: object = {}) {
      return {
        workers: [
          { id: 'a', url: urls.a },
          { id: 'b', url: urls.b },
          { id: 'slow', url: urls.slow },
        ],
        admin_api_key: ADMIN,
        allow_anonymous: true,
        allowed_worker_hosts: ['http://127.0.0.1:*'],
        ...more,
      }
    }
    const urls = () => ({ a: fleet.worker('a').url, b: fleet.worker('b').url, slow: fleet.worker('slow').url })

    test(`${RELOADS} changes under load fail no request, and each record has the hash it ran under`, async () => {
      // What an answer shows tells which of the two it ran under.
      const variants = [config(urls()), config(urls(), { worker_display: 'hash', policy: { type: 'random' } })]
      const begun = await admin.putConfig(variants[0] ?? {})
      const policyOf = new Map([[String(begun.json().hash), 'round_robin']])
      const seen = new Map<string, string | null>()
      let isDone = false
      async function client(name: number): Promise<void> {
        for (let at = 0; !isDone; at += 1) {
          const requestId = `load-${name}-${at}`
          const isStream = at % 3 === 0
          const answer = await postJson(
            fleet.url + CHAT,
            { ...chatBody('m'), stream: isStream },
            { 'x-request-id': requestId },
          )
          expect([answer.status, answer.text], requestId).toEqual([
            200,
            expect.stringMatching(isStream ? /\[DONE\]/ : /^\{/),
          ])
          seen.set(requestId, answer.headers.get('x-vllm-router-policy'))
        }
      }
      const clients = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)))
      const policies = ['round_robin', 'random']
      for (let at = 0; at < RELOADS; at += 1) {
        const changed = await admin.putConfig(variants[(at + 1) % 2] ?? {})
        expect(changed.status, changed.text).toBe(200)
        policyOf.set(changed.json().hash, policies[(at + 1) % 2] ?? '')
      }
      isDone = true
      await clients
      expect(policyOf.size).toBe(2)
      expect(new Set(seen.values())).toEqual(new Set(policies))
      const logged = () => fleet.router.records().filter(({ request_id: id }) => seen.has(String(id)))
      await until(
        () => logged().length === seen.size,
        10_000,
        () => `${logged().length} of ${seen.size} are recorded`,
      )
      for (const { request_id: id, config_hash: hash } of logged()) {
        expect([id, policyOf.get(String(hash))]).toEqual([id, seen.get(String(id))])
      }
    }, 300_000)

    test('every worker is replaced by one that has to be asked what it serves, and no request fails', async () => {
      let isDone = false
      const failed: string[] = []
      async function client(): Promise<number> {
        let asked = 0
        for (; !isDone; asked += 1) {
          const answer = await postJson(fleet.url + CHAT, chatBody('m'))
          if (answer.status !== 200) failed.push(`${answer.status} ${answer.text}`)
        }
        return asked
      }
      await admin.putConfig(config(urls()))
      const clients = Promise.all(Array.from({ length: 4 }, client))
      for (const name of ['a', 'b', 'a', 'b'] as const) {
        const changed = await admin.putConfig({ ...config(urls()), workers: [{ id: name, url: urls()[name] }] })
        expect(changed.status, changed.text).toBe(200)
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
      isDone = true
      const asked = await clients
      expect(failed).toEqual([])
      expect(Math.min(...asked)).toBeGreaterThan(0)
    }, 60_000)

    test('a stream ends under the configuration it began with, though its worker and its key are gone by then', async () => {
      await admin.putConfig(config(urls(), { inbound_api_key: 'before-0123456789' }))
      const before = (await admin.get('/admin/config')).json().hash
      const headers = { authorization: 'Bearer before-0123456789', 'x-request-id': `long-${before}` }
      const body = { ...chatBody('slow'), stream: true, max_tokens: 50 }
      const stream = await send(fleet.url + CHAT, body, { headers }).reply
      await stream.until('data:')
      const { a, b } = urls()
      const without = {
        workers: [
          { id: 'a', url: a },
          { id: 'b', url: b },
        ],
        inbound_api_key: 'after-0123456789',
      }
      const changed = await admin.putConfig({ ...config(urls()), ...without })
      expect(changed.json().workers_removed).toEqual(['slow'])
      expectRefusal(await postJson(fleet.url + CHAT, chatBody('m'), headers), 'invalid_api_key')
      expect((await stream.rest()).toString()).toContain('[DONE]')
      const record = await fleet.router.record(
        ({ request_id: id, status }) => id === `long-${before}` && status === 200,
      )
      expect(record).toMatchObject({ config_hash: before, worker: 'slow', stream_end: 'complete' })
    })
  })
}
