// Every kind of request, and exactly what it adds to which series. The fleets are those of the suites about spans.

import { expect, test } from 'vitest'
import type { Answered } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import type { LiveFleet } from '../support/live-fleet.ts'
import { type Added, answered, attempted, CHAT, countingOf, failed, tokens, tried } from './counted.ts'
import { type LmcacheBench, promptOf } from './lmcache-bench.ts'
import type { lookupFleet } from './lookup-fleet.ts'

export interface CountedFleet {
  readonly fleet: LiveFleet<'a' | 'b'>
  readonly keys: { readonly chat: string; readonly search: string }
  /** A chat completion of three tokens; `chat`'s key unless another is given. */
  post(body: object, key?: string): Promise<Answered>
}

/** Requests that only workers, hooks and limits have to do with. */
export function countedRequests({ fleet, keys, post }: CountedFleet): void {
  const { addedBy } = countingOf(() => fleet.url)
  const N = { model: 'n' }
  const USAGE = { stream: true, stream_options: { include_usage: true } }
  const FIRST = { 'time_to_first_token_seconds{model="n"}': 1 }

  test('a plain answer moves these series and no others', async () => {
    expect(await addedBy(() => post(N))).toEqual({ ...answered(N), ...attempted({ worker: 'a' }), ...tokens('n', 3) })
  })

  test('a stream', async () => {
    expect(await addedBy(() => post({ ...N, ...USAGE }))).toEqual({
      ...answered(N),
      ...attempted({ worker: 'a' }),
      ...tokens('n', 3),
      ...FIRST,
      'inter_token_seconds{model="n"}': 1,
    })
  })

  test('one that is tried again', async () => {
    const retries = `retries_total{route="${CHAT}"}`
    let added: Added = {}
    // The two workers take turns, but one that has just failed may be passed over for a while.
    await until(
      async () => {
        await fleet.worker('a').setFaults({ status: 503, times: 1 })
        added = await addedBy(() => post({ model: 'm' }))
        return retries in added
      },
      30_000,
      () => 'no request got to the worker that fails',
    )
    expect(added).toEqual({
      ...answered({ model: 'm' }),
      ...attempted({ worker: 'b' }),
      ...tried({ worker: 'a' }),
      ...tokens('m', 3),
      'cb_outcomes_total{worker="a",outcome="failure"}': 1,
      [retries]: 1,
    })
  })

  test('one that a hook rejects', async () => {
    expect(await addedBy(() => post({ model: 'hooked' }))).toEqual({
      ...failed('hook_rejected', { model: 'hooked' }),
      'hook_requests_total{hook="safety",outcome="rejected"}': 1,
    })
  })

  test('one whose stream is cut', async () => {
    await fleet.worker('a').setFaults({ die_mid_stream: { after_events: 2 }, times: 1 })
    expect(await addedBy(() => post({ ...N, ...USAGE, max_tokens: 50 }))).toEqual({
      ...failed('truncated', { ...N, status: '2xx' }),
      ...attempted({ worker: 'a' }),
      ...FIRST,
      [`answer_ends_total{route="${CHAT}",end="truncated"}`]: 1,
    })
  })

  test('one whose client leaves', async () => {
    await fleet.worker('a').setFaults({ stall_mid_stream: { after_events: 2 }, times: 1 })
    const added = await addedBy(async () => {
      const body = { ...N, stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
      const { reply, leave } = send(`${fleet.url}${CHAT}`, body, { headers: { authorization: `Bearer ${keys.chat}` } })
      await (await reply).next()
      leave()
    })
    expect(added).toEqual({
      ...failed('client_aborted', { ...N, status: '2xx' }),
      ...attempted({ worker: 'a' }),
      ...FIRST,
      [`answer_ends_total{route="${CHAT}",end="client_aborted"}`]: 1,
      'cancelled_upstreams_total{worker="a"}': 1,
    })
  })

  test('those for models that nobody serves, whatever they are called', async () => {
    const names = ['made-up', 'a"b', String.raw`a\b`, '__proto__', 'constructor', 'ünïcode']
    const added = await addedBy(async () => {
      for (const model of names) await post({ model })
    }, names.length)
    const one = failed('model_not_found', { model: 'other' })
    expect(added).toEqual(Object.fromEntries(Object.keys(one).map((series) => [series, names.length])))
  })

  test('one that a limit refuses', async () => {
    await until(
      async () => (await post(N, keys.search)).status === 429,
      10_000,
      () => 'no limit refuses it',
    )
    expect(await addedBy(() => post(N, keys.search))).toEqual({
      ...failed('rate_limit_exceeded', { model: '', tenant: 'search' }),
      'tenant_rate_limited_total{tenant="search"}': 1,
    })
  })

  test('one without a good key, which leaves no record', async () => {
    const refused = { [`refused_requests_total{route="${CHAT}",error_type="invalid_api_key"}`]: 1 }
    expect(await addedBy(() => post(N, 'nobody-s-key'))).toEqual(refused)
  })
}

type LookupFleet = Pick<ReturnType<typeof lookupFleet>, 'fleet' | 'chat'>

/** Requests that caches and clusters decide about. */
export function countedLookups({ fleet, chat }: LookupFleet): void {
  const { addedBy } = countingOf(() => fleet.url)
  const M = { model: 'm', tenant: null }
  const asked = (outcome: string) => ({
    [`lookups_total{step="embedding",outcome="${outcome}"}`]: 1,
    [`embeddings_total{outcome="${outcome}"}`]: 1,
    'lookup_duration_seconds{step="embedding"}': 1,
    ...(outcome === 'ok' ? { embeddings_duration_seconds: 1 } : {}),
  })
  // A test that is tried again finds nothing of its first try.
  let run = 0
  const seeded = () => ({ temperature: 0, seed: (run += 1) })
  const REUSED = { 'tokens_total{model="m",kind="cached"}': expect.any(Number) as number }

  test('an answer from the exact cache moves these series and no others', async () => {
    const body = seeded()
    await chat('counted to the letter', body)
    // No worker, no policy, no tokens, and no vector.
    expect(await addedBy(() => chat('counted to the letter', body))).toEqual({
      ...answered(M),
      'cache_hits_total{kind="exact"}': 1,
    })
  })

  test('one from the semantic cache', async () => {
    const body = seeded()
    await chat(`How do I count the sheep of my neighbour ${run}?`, body)
    expect(await addedBy(() => chat(`How is it that I count the sheep of the neighbour ${run}?`, body))).toEqual({
      ...answered(M),
      ...asked('ok'),
      'cache_hits_total{kind="semantic"}': 1,
      cache_similarity: 1,
    })
  })

  test('one that goes to a cluster', async () => {
    const text = 'Solve this equation, counted: the derivative of a polynomial'
    const sent = () => chat(text, { temperature: 1 })
    await until(
      async () => {
        await sent()
        return (await countingOf(() => fleet.url).scrape()).has(
          'cluster_requests_total{cluster="maths",worker="adder"}',
        )
      },
      30_000,
      () => 'the cluster is not known',
    )
    expect(await addedBy(sent)).toEqual({
      ...answered(M),
      ...attempted({ worker: 'adder', routing: 'cluster' }),
      ...tokens('m', 2, null),
      ...REUSED,
      ...asked('cached'),
      'cluster_requests_total{cluster="maths",worker="adder"}': 1,
      cluster_similarity: 1,
    })
  })

  test('a miss of both caches', async () => {
    const added = await addedBy(() => chat('Nobody has counted this before', seeded()))
    expect(added).toMatchObject({ ...answered(M), cache_misses_total: 1 })
  })
}

/** A prompt that LMCache is asked about. */
export function countedLmcache({ fleet, chat, warm }: Pick<LmcacheBench, 'fleet' | 'chat' | 'warm'>): void {
  const { addedBy } = countingOf(() => fleet.url)

  let run = 0

  test('a prompt that LMCache knows moves these series and no others', { timeout: 90_000 }, async () => {
    let [worker, added]: [string, Added] = ['', {}]
    // What the controller heard of may have been the rest of an earlier prompt, and nobody may have asked yet how full
    // caches are; then once more, with another.
    await until(
      async () => {
        const prompt = promptOf(`counted${(run += 1)}`, 3)
        worker = await warm(prompt)
        let method = ''
        added = await addedBy(async () => ({ method } = await chat(prompt)))
        return method === 'lmcache-prefix' && added['lookups_total{step="occupancy",outcome="ok"}'] === 1
      },
      60_000,
      () => `the controller knows no prompt, or nothing: ${JSON.stringify(added)}`,
    )
    const step = (name: string) => ({
      [`lookups_total{step="${name}",outcome="ok"}`]: 1,
      [`lookup_duration_seconds{step="${name}"}`]: 1,
    })
    expect(added).toEqual({
      ...answered({ model: 'm', tenant: null }),
      ...attempted({ worker, policy: 'lmcache_aware', routing: 'lmcache_prefix' }),
      ...tokens('m', 1, null),
      ...step('tokenize'),
      ...step('lookup'),
      ...step('occupancy'),
      'tokenize_duration_seconds{source="worker"}': 1,
      'tokens_total{model="m",kind="cached"}': expect.any(Number),
      'prefix_tokens_total{kind="predicted"}': expect.any(Number),
      'prefix_tokens_total{kind="actual"}': expect.any(Number),
    })
  })
}
