// Every place that a runtime can keep answers in, under both caches: what is kept there is given again, and what becomes of
// requests when the place is slow, breaks off, hangs or is gone.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { type Answered, postJson } from '../support/ask.ts'
import type { CachePlace, CachePlaceBench } from '../support/cache-places.ts'
import { type EmbeddingsServer, startEmbeddingsServer } from '../support/embeddings-server.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { as, CHAT, KEYS, statusOf, type Tenant, TIME_MS } from '../support/response-cache-rig.ts'

/** Two ways to ask one thing, and another thing. */
const ASKED = 'How do I reset the password of my account?'
const REWORDED = 'How is it that I reset the password of the account?'
const OTHER = 'Which planets of the solar system have rings?'

interface PlaceRig {
  readonly fleet: LiveFleet<'sim'>
  bench(): CachePlaceBench
  chat(text: string, more?: object, tenant?: Tenant): Promise<Answered>
  /** Asks until it is answered that way: what is kept is written once the answer is out. */
  untilStatus(status: string, ask: () => Promise<Answered>): Promise<Answered>
}

export function cachePlacesConformance(runtime: RuntimeName, place: CachePlace): void {
  describe(`answers kept in ${place.name} on ${runtime}`, () => {
    const rig = placeRig(runtime, place)
    exactPlaceConformance(rig)
    if (place.canSearch) semanticPlaceConformance(rig)
    // Last: nothing is found there after it.
    failingPlaceConformance(rig)
  })
}

function placeRig(runtime: RuntimeName, place: CachePlace): PlaceRig {
  let bench: CachePlaceBench | null = null
  let embeddings: EmbeddingsServer | null = null
  let run = 0
  beforeEach(() => void (run += 1))
  beforeAll(async () => {
    bench = await place.open()
    embeddings = await startEmbeddingsServer()
  })
  afterAll(async () => {
    await bench?.close()
    await embeddings?.close()
  })
  const semantic = () => ({ embeddings_url: embeddings?.url, embedding_timeout_ms: 5_000, threshold: 0.9 })
  const fleet = liveFleet<'sim'>(runtime, {
    workers: { sim: { models: ['m'] } },
    config: ({ sim }) => ({
      // Said, as a machine under load may miss the first probe.
      workers: [{ id: 'sim', url: sim, models: ['m'] }],
      admin_api_key: KEYS.admin,
      api_keys: [
        { name: 'acme', key: KEYS.acme },
        { name: 'zeta', key: KEYS.zeta },
      ],
      cache: { ttl_secs: 600, ...bench?.settings },
      ...(place.canSearch ? { semantic_cache: { ...semantic(), ...bench?.settings } } : {}),
    }),
  })
  return {
    fleet,
    bench() {
      if (bench === null) throw new Error(`${place.name} has not been opened`)
      return bench
    },
    chat(text, more = {}, tenant = 'acme') {
      // A test that is tried again finds nothing of its first try.
      const asked = {
        model: 'm',
        temperature: 0,
        max_tokens: 4,
        seed: run,
        messages: [{ role: 'user', content: text }],
      }
      return postJson(fleet.url + CHAT, { ...asked, ...more }, as(tenant))
    },
    async untilStatus(status, ask) {
      let last = await ask()
      await until(
        async () => statusOf(last) === status || statusOf((last = await ask())) === status,
        TIME_MS,
        () => `it is never ${status}:\n${fleet.router.output().slice(-2_000)}`,
      )
      return last
    },
  }
}

function exactPlaceConformance({ fleet, chat, untilStatus }: PlaceRig): void {
  test('are given again, streams too, and purged', async () => {
    const text = 'größe 漢字 🚀'
    for (const more of [{}, { stream: true }]) {
      expect(statusOf(await chat(text, more))).toBe('miss')
      const second = await untilStatus('exact-hit', () => chat(text, more))
      expect(second.text).toMatch(/./)
      expect((await untilStatus('exact-hit', () => chat(text, more))).text).toBe(second.text)
    }
    const purged = await adminClient(() => fleet.url, KEYS.admin).post('/admin/cache/purge', { model: 'm' })
    expect(purged.status, purged.text).toBe(200)
    expect(purged.json()).toMatchObject({ cache: { reaches: 'all' } })
    await untilStatus('miss', () => chat(text, { stream: true }))
  })
}

function semanticPlaceConformance({ fleet, chat, untilStatus }: PlaceRig): void {
  test('are given to who means the same, streams too, to no other tenant, and purged', async () => {
    for (const more of [{}, { stream: true }]) {
      expect(statusOf(await chat(ASKED, more))).not.toBe('bypass')
      const second = await untilStatus('semantic-hit', () => chat(REWORDED, more))
      expect(Number(second.headers.get('x-vllm-router-cache-similarity'))).toBeGreaterThanOrEqual(0.9)
      expect(second.text).toMatch(/./)
      expect(statusOf(await chat(OTHER, more))).toBe('miss')
      expect(statusOf(await chat(ASKED, { ...more, max_tokens: 5 }))).toBe('miss')
    }
    expect(statusOf(await chat(REWORDED, {}, 'zeta'))).toBe('miss')
    const purged = await adminClient(() => fleet.url, KEYS.admin).post('/admin/cache/purge', { tenant: 'acme' })
    expect(purged.status, purged.text).toBe(200)
    const reached = { backend: 'redis', reaches: 'all', within_secs: 0 }
    expect(purged.json()).toMatchObject({ cache: reached, semantic_cache: reached })
    expect(statusOf(await chat(REWORDED, { stream: true }))).toBe('miss')
  })
}

function failingPlaceConformance({ fleet, bench, chat, untilStatus }: PlaceRig): void {
  const expectMiss = (answer: Answered) => expect([answer.status, statusOf(answer)]).toEqual([200, 'miss'])

  test('a place that breaks off in the middle of an answer is a miss, and used again', async () => {
    const { breakOff } = bench()
    if (breakOff === undefined) return
    const text = 'What breaks off in the middle?'
    await chat(text)
    await untilStatus('exact-hit', () => chat(text))
    const mend = breakOff()
    // Fewer than it takes until nobody asks there.
    for (let n = 0; n < 2; n += 1) expectMiss(await chat(text))
    mend()
    await untilStatus('exact-hit', () => chat(text))
  })

  test('a place that hangs is a miss, and holds nobody up for long', async () => {
    const { hang } = bench()
    if (hang === undefined) return
    hang()
    // More than it takes until nobody asks there.
    for (let n = 0; n < 8; n += 1) expectMiss(await chat(`Does it hang ${n % 2}?`))
    await until(
      () => fleet.router.output().includes('"event":"cache_failed"'),
      TIME_MS,
      () => 'nobody says so',
    )
  })

  test('a place that is gone is a miss', async () => {
    const { fail } = bench()
    if (fail === undefined) return
    await fail()
    for (let n = 0; n < 3; n += 1) expectMiss(await chat('Is it gone?'))
  })
}
