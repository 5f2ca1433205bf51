// Drains over what else happens: changes of the configuration, other drains, the end of their time, a restart.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { chatBody, expectRefusal, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN = 'admin-0123456789'
const CHAT = '/v1/chat/completions'

export function adminDrainConformance(runtime: RuntimeName): void {
  describe(`drains on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        a: { models: ['m'] },
        b: { models: ['m'] },
        slow: { models: ['slow'], itlMs: 50, outputTokens: 120 },
        ranked: { models: ['r'], dataParallelSize: 2 },
      },
      config: (urls) => config(urls),
    })
    const admin = adminClient(() => fleet.url, ADMIN)

    function config(urls: Readonly<Record<'a' | 'b' | 'slow' | 'ranked', string>>, more: object = {}) {
      return {
        workers: [
          { id: 'a', url: urls.a },
          { id: 'b', url: urls.b },
          { id: 'slow', url: urls.slow },
          { id: 'ranked', url: urls.ranked, data_parallel_size: 2 },
        ],
        admin_api_key: ADMIN,
        allow_anonymous: true,
        ...more,
      }
    }
    const urls = () => ({
      a: fleet.worker('a').url,
      b: fleet.worker('b').url,
      slow: fleet.worker('slow').url,
      ranked: fleet.worker('ranked').url,
    })
    const drain = (id: string, timeoutSecs: number) => admin.post('/admin/drain', { id, timeout_secs: timeoutSecs })
    const statusOf = async (id: string) => (await admin.get(`/admin/drain/status?id=${id}`)).json()

    async function servedBy(): Promise<Set<string | null>> {
      const answers = await Promise.all(Array.from({ length: 12 }, () => postJson(fleet.url + CHAT, chatBody('m'))))
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      return new Set(answers.map(({ headers }) => headers.get('x-vllm-router-worker')))
    }

    test('a worker without work is parked, and stays so through changes until it is undrained', async () => {
      expect((await drain('a', 0)).status).toBe(202)
      await until(
        async () => (await statusOf('a')).state === 'parked',
        15_000,
        () => 'the drain does not end',
      )
      expect((await drain('a', 60)).json()).toMatchObject({ status: 'parked', id: 'a' })
      const changed = await admin.putConfig(config(urls(), { responses: { ttl_secs: 5 } }))
      expect(changed.status, changed.text).toBe(200)
      expect((await admin.post('/admin/config/rollback')).status).toBe(200)
      expect((await admin.post('/admin/reload')).status).toBe(200)
      expect(await statusOf('a')).toMatchObject({ draining: true, state: 'parked' })
      expect([...(await servedBy())]).toEqual(['b'])
      for (let at = 0; at < 2; at += 1) {
        expect((await admin.post('/admin/undrain', { id: 'a' })).json()).toMatchObject({ status: 'active' })
      }
      await until(
        async () => (await servedBy()).has('a'),
        10_000,
        () => 'the worker is not used again',
      )
    })

    test('asked for twice sets its time anew, and one whose time is up cuts nothing', async () => {
      const stream = await send(fleet.url + CHAT, { ...chatBody('slow'), stream: true, max_tokens: 120 }).reply
      await stream.until('data:')
      expect((await drain('slow', 600)).json()).toMatchObject({ status: 'draining', timeout_secs: 600 })
      const { since, deadline } = await statusOf('slow')
      expect((await drain('slow', 0)).json()).toMatchObject({ timeout_secs: 0 })
      const after = await statusOf('slow')
      expect(after).toMatchObject({ since, state: 'parked', draining: true, left_running: 1, current_load: 1 })
      expect(Date.parse(after.deadline)).toBeLessThan(Date.parse(deadline))
      expect((await stream.rest()).toString()).toContain('[DONE]')
      expect((await admin.post('/admin/undrain', { id: 'slow' })).status).toBe(200)
    })

    test('a worker that is taken out and comes back is not drained any more', async () => {
      await drain('b', 60)
      const { workers, ...rest } = config(urls())
      await admin.putConfig({ ...rest, workers: workers.filter(({ id }) => id !== 'b') })
      expectRefusal(await admin.get('/admin/drain/status?id=b'), 'worker_not_found')
      // It is in the pool that runs no more, so it has to be loaded from what an operator wrote.
      expect((await admin.post('/admin/config/rollback')).status).toBe(200)
      expect(await statusOf('b')).toMatchObject({ draining: false, state: 'active' })
    })

    test('is of whole workers: a rank has no drain of its own, and the answer says whose it is', async () => {
      for (const name of [{ id: 'ranked@1' }, { url: `${urls().ranked}@0` }, { url: `${urls().ranked}/@1` }]) {
        const refused = await admin.post('/admin/drain', name)
        expectRefusal(refused, 'invalid_request')
        expect(refused.json().error.message).toContain('`ranked`')
      }
      expectRefusal(await admin.get('/admin/drain/status?id=ranked%401'), 'invalid_request')
      expectRefusal(await admin.delete('/workers/ranked@1'), 'invalid_request')
      for (const id of ['ranked@2', 'ranked@', 'a@0', 'nobody@0']) expectRefusal(await drain(id, 1), 'worker_not_found')
      expect((await admin.get('/workers')).json().draining).toBe(0)
    })

    test('of a worker with ranks takes all of them out', async () => {
      expect((await drain('ranked', 60)).status).toBe(202)
      expectRefusal(await postJson(fleet.url + CHAT, chatBody('r')), 'no_worker')
      expect((await admin.post('/admin/undrain', { id: 'ranked' })).status).toBe(200)
      expect((await postJson(fleet.url + CHAT, chatBody('r'))).status).toBe(200)
    })
  })
}
