// Purges of kept answers, as operators order them.

import { describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask, postJson } from '../support/ask.ts'
import { as, KEYS, type ResponseCacheRig, statusOf } from '../support/response-cache-rig.ts'

export function purgesConformance({ fleet, chat, twice, body }: ResponseCacheRig): void {
  describe('purges', () => {
    const purge = (what: object, key = KEYS.purger) =>
      adminClient(() => fleet.url, key).post('/admin/cache/purge', what)

    test.each<[string, object]>([
      ['everything', { all: true }],
      ['a tenant', { tenant: 'acme' }],
      ['a model', { model: 'm' }],
    ])('%s is forgotten', async (name, what) => {
      expect((await twice(body(name))).statuses).toEqual(['miss', 'exact-hit'])
      const answer = await purge(what)
      expect(answer.status, answer.text).toBe(200)
      expect(answer.json()).toMatchObject({ purged: what, cache: { backend: 'memory' }, semantic_cache: null })
      expect(statusOf(await chat(body(name)))).toBe('miss')
    })

    test('what others have stays', async () => {
      const own = () => chat(body('stays'))
      await own()
      await purge({ tenant: 'zeta' })
      await purge({ model: 'other' })
      expect(statusOf(await own())).toBe('exact-hit')
    })

    test('one answer is forgotten by the key that its record has', async () => {
      const [, hit] = (await twice(body('keyed'))).answers
      const id = hit.headers.get('x-request-id')
      const record = await fleet.router.record(({ request_id }) => request_id === id)
      expect((await purge({ key: record['cache_key'] })).status).toBe(200)
      expect(statusOf(await chat(body('keyed')))).toBe('miss')
    })

    test.each<[string, object]>([
      ['nothing', {}],
      ['two at once', { tenant: 'acme', model: 'm' }],
      ['no key', { key: 'abc' }],
      ['a word that is none', { tenants: 'acme' }],
    ])('%s can not be purged', async (_, what) => {
      expect((await purge(what)).status).toBe(400)
    })

    test('a key without the scope can not purge', async () => {
      const drained = await ask(`${fleet.url}/admin/drain/status`, {
        headers: { authorization: `Bearer ${KEYS.purger}` },
      })
      expect(drained.status).toBe(403)
      expect((await postJson(`${fleet.url}/admin/cache/purge`, { all: true }, as('acme'))).status).toBe(403)
    })
  })
}
