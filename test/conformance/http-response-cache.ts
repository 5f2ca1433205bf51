// The response cache as callers and operators see it: what a hit looks like and what it is asked for, in the files beside this
// one what is the same request, what is kept, what is under way, purges, and the places that a runtime can keep answers in.

import { describe, expect, test } from 'vitest'
import { CACHE_PLACES } from '../support/cache-places.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import {
  as,
  DUBIOUS,
  type ResponseCacheRig,
  responseCacheRig,
  statusOf,
  TIME_MS,
} from '../support/response-cache-rig.ts'
import { cachedRequestsConformance } from './http-response-cache-requests.ts'
import { keptAnswersConformance } from './http-response-cache-kept.ts'
import { answersUnderWayConformance } from './http-response-cache-under-way.ts'
import { cachePlacesConformance } from './http-response-cache-places.ts'
import { purgesConformance } from './http-response-cache-purges.ts'

export function responseCacheConformance(runtime: RuntimeName): void {
  describe(`the response cache on ${runtime}`, () => {
    const rig = responseCacheRig(runtime)
    hitsConformance(rig)
    cachedRequestsConformance(rig)
    keptAnswersConformance(rig)
    answersUnderWayConformance(rig)
    purgesConformance(rig)
  })
  for (const place of CACHE_PLACES.filter(({ runtimes }) => runtimes.includes(runtime))) {
    cachePlacesConformance(runtime, place)
  }
}

function hitsConformance({ fleet, admin, chat, twice, body, refuseDubious }: ResponseCacheRig): void {
  test('gives the very bytes again, says so, and asks no worker', async () => {
    const { answers, statuses, asked } = await twice(body('again'))
    expect(statuses).toEqual(['miss', 'exact-hit'])
    expect(asked).toBe(1)
    const [first, second] = answers
    expect(second.text).toBe(first.text)
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(second.headers.get('x-vllm-router-method')).toBe('cache-hit')
    expect(second.headers.get('x-vllm-router-worker')).toBeNull()
    expect(second.headers.get('x-vllm-router-policy')).toBeNull()
    expect(second.headers.get('x-vllm-router-attempts')).toBe('0')
    expect(second.headers.get('x-vllm-router-model')).toBe('m')
    expect(Number(second.headers.get('age'))).toBeLessThan(600)
    expect(first.headers.get('age')).toBeNull()
  })

  test('a hit leaves a record, costs no tokens, and is explained', async () => {
    const [, hit] = (await twice(body('recorded'))).answers
    const id = hit.headers.get('x-request-id')
    const record = await fleet.router.record(({ request_id }) => request_id === id)
    expect(record).toMatchObject({
      method: 'cache-hit',
      cache_status: 'exact-hit',
      cache_key: expect.stringMatching(/^[0-9a-f]{64}$/),
      attempts: [],
      tenant: 'acme',
      hooks_ran: ['guard'],
      status: 200,
    })
    expect(record['usage']).toBeUndefined()
    expect(JSON.stringify(record)).not.toContain('recorded')
    await until(
      async () => (await admin.get(`/admin/explain/${hit.headers.get('x-vllm-router-decision-id')}`)).status === 200,
      TIME_MS,
      () => 'there is no explanation',
    )
    const told = await admin.get(`/admin/explain/${hit.headers.get('x-vllm-router-decision-id')}`)
    expect(told.text).toContain('answered from a cache')
  })

  test('a dry run says whether a cache has the answer, and tells nobody else’s', async () => {
    const asked = body('tried')
    const wouldBe = async (tenant: string, headers = {}) => {
      const tried = (await admin.post('/admin/explain', { tenant, headers, body: asked })).json()
      return { ...tried.record, said: tried.sentences[0] }
    }
    expect(await wouldBe('acme')).toMatchObject({ method: 'policy', cache_status: 'miss', worker: 'sim' })
    await chat(asked)
    expect(await wouldBe('acme')).toMatchObject({
      method: 'cache-hit',
      cache_status: 'exact-hit',
      cache_key: expect.stringMatching(/^[0-9a-f]{64}$/),
      said: 'This request would be answered from a cache; no worker would be asked.',
    })
    expect((await wouldBe('acme'))['worker']).toBeUndefined()
    expect(await wouldBe('zeta')).toMatchObject({ cache_status: 'miss', worker: 'sim' })
    // So an operator sees where it would go without the cache.
    expect(await wouldBe('acme', { 'cache-control': 'no-cache' })).toMatchObject({ worker: 'sim' })
  })

  test('operators see how much is kept', async () => {
    await chat(body('counted'))
    const { cache } = (await admin.get('/admin/stats')).json()
    expect(cache).toMatchObject({ backend: 'memory', semantic_entries: 0 })
    expect(cache.exact_entries).toBeGreaterThan(0)
    expect(cache.exact_bytes).toBeGreaterThan(cache.exact_entries)
  })

  test('a tenant that may not use a model gets no answer of it', async () => {
    await chat(body('denied', { model: 'other' }))
    expect((await chat(body('denied', { model: 'other' }), as('zeta'))).status).toBe(403)
  })

  test('what an operator’s check refuses by now is refused, though its answer is kept', async () => {
    const asked = body(DUBIOUS)
    expect((await twice(asked)).statuses).toEqual(['miss', 'exact-hit'])
    refuseDubious(true)
    const refused = await chat(asked)
    refuseDubious(false)
    expect(refused.status).toBe(403)
    expect(refused.json().error.code).toBe('hook_rejected')
    expect(statusOf(await chat(asked))).toBe('exact-hit')
  })
}
