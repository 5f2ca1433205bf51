// What a router knows of LMCache's caches over HTTP: how full they are, asked by one prober and believed for a while, and
// whether the control plane can see at all.

import { describe, expect, test } from 'vitest'
import { type AdminClient, adminClient } from '../support/admin-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LmcacheBench, lmcacheBench, promptOf } from './lmcache-bench.ts'

/** Twenty probes a second apart, each five seconds after its request; and as much again for a busy machine. */
const BLIND_WITHIN_MS = 90_000

/** Three polls and the age of a copy, and something for a busy machine. */
const STALE_WITHIN_MS = 20_000

export function lmcacheSight(runtime: RuntimeName): void {
  describe(`what LMCache's caches hold on ${runtime}`, () => {
    describe.each(['legacy', 'coordinator'] as const)('by the %s control plane', (type) => {
      const bench = lmcacheBench(runtime, { type, policy: { lookup_mode: 'occupancy', poll_interval_secs: 1 } })
      const admin = adminOf(bench)

      test('is polled once an interval, and shown with its age', { timeout: 60_000 }, async () => {
        const worker = await bench.warm(promptOf(`${type}-full`, 4))
        await untilShown(bench, admin, worker, (chunks) => chunks !== null && chunks >= 4)
        const startedAtMs = Date.now()
        const before = polls(bench, type)
        await until(
          async () => {
            expect((await bench.chat('hello')).status).toBe(200)
            return polls(bench, type) - before >= 4
          },
          30_000,
          () => 'nobody polls',
        )
        // A tenth less than a second each, at the least.
        expect(polls(bench, type) - before).toBeLessThanOrEqual((Date.now() - startedAtMs) / 900 + 1)
        const { lmcache } = (await admin.get('/admin/stats')).json()
        expect(lmcache).toMatchObject({
          controller_type: type,
          occupancy: { state: 'fresh', last_poll: 'ok', instances: 3 },
          sight: null,
        })
      })

      test('is unknown, not zero, some time after the last answer', { timeout: 90_000 }, async () => {
        await bench.controller().setFaults({ refuse: true })
        const occupancy = async () => (await admin.get('/admin/stats')).json().lmcache.occupancy
        await until(
          async () => {
            expect((await bench.chat('hello')).status).toBe(200)
            return (await occupancy()).state === 'stale'
          },
          STALE_WITHIN_MS,
          () => 'what was said long ago is still believed',
        )
        expect(await occupancy()).toMatchObject({ last_poll: 'unreachable', instances: 3, chunks: null })
        const { lmcache } = (await admin.get('/workers/a')).json()
        expect(lmcache).toMatchObject({ chunks: null, age_ms: expect.any(Number) })
        const { steps, policy } = await bench.chat('hello')
        expect([steps['occupancy'], policy]).toEqual(['stale', 'power_of_two'])

        await bench.controller().setFaults([])
        await until(
          async () => {
            expect((await bench.chat('hello')).status).toBe(200)
            return (await occupancy()).state === 'fresh'
          },
          // It is asked more seldom while it fails.
          60_000,
          () => 'it is not asked again',
        )
      })
    })
  })

  describe(`a blind control plane on ${runtime}`, () => {
    const bench = lmcacheBench(runtime, { policy: { poll_interval_secs: 1 }, controller: { hashSeed: 'another' } })
    const admin = adminOf(bench)
    const sight = async () => (await admin.get('/admin/stats')).json().lmcache.sight

    test('is found, told of, and left alone', { timeout: BLIND_WITHIN_MS + 30_000 }, async () => {
      await untilSight(bench, sight, 'blind')
      expect(await sight()).toMatchObject({ because: 'knows_nothing_new', likely_causes: expect.any(String) })
      expect((await admin.get('/health')).json()).toEqual({ status: 'ok', lmcache: 'blind' })
      expect((await admin.get('/admin/stats')).json().counters['lmcache_sight{state="blind"}']).toBe(1)
      const { router } = bench.fleet
      await router.told(/"event":"lmcache_sight".*\n/)
      const told = linesOf(router.output(), 'lmcache_sight')
      expect(told).toHaveLength(1)
      for (const word of ['"level":"warn"', 'chunk_size', 'PYTHONHASHSEED', 'versions']) expect(told[0]).toContain(word)

      const before = [bench.lookups(), bench.tokenised()]
      const outcomes: (string | undefined)[] = []
      const startedAtMs = Date.now()
      while (outcomes.length < 20) {
        const { steps, policy, method } = await askAnew(bench)
        outcomes.push(steps['lookup'])
        // Neither by a prompt nor by how full caches are, which is known all the same.
        expect([policy, method, steps['occupancy']]).toEqual(['power_of_two', 'policy', 'blind'])
      }
      expect((await admin.get('/admin/stats')).json().lmcache.occupancy).toMatchObject({ state: 'fresh', instances: 3 })
      // One request every ten seconds, and what was still to be looked up of those before.
      const trials = (Date.now() - startedAtMs) / 10_000 + 1
      expect(outcomes.filter((outcome) => outcome !== 'blind').length).toBeLessThanOrEqual(trials)
      expect(bench.tokenised() - (before[1] ?? 0)).toBeLessThanOrEqual(trials)
      expect(bench.lookups() - (before[0] ?? 0)).toBeLessThanOrEqual(2 * trials + 10)
    })

    test('is asked again once it knows what workers hold', { timeout: BLIND_WITHIN_MS }, async () => {
      bench.controller().setHashSeed('')
      await untilSight(bench, sight, 'sighted')
      const prompt = promptOf('seen', 3)
      await until(
        async () => (await bench.chat(prompt)).method === 'lmcache-prefix',
        20_000,
        () => 'requests do not go by it',
      )
      expect((await admin.get('/health')).json()).toEqual({ status: 'ok', lmcache: 'sighted' })
    })
  })
}

function adminOf(bench: LmcacheBench): AdminClient {
  return adminClient(() => bench.fleet.url, null)
}

function linesOf(output: string, event: string): readonly string[] {
  return output.split('\n').filter((line) => line.includes(`"event":"${event}"`))
}

/** Polls of how full caches are so far. */
function polls(bench: LmcacheBench, type: 'legacy' | 'coordinator'): number {
  const path = type === 'legacy' ? '/controller/workers' : '/directory/stats'
  return bench
    .controller()
    .state()
    .requests.filter(({ target }) => target === path).length
}

async function untilShown(
  bench: LmcacheBench,
  admin: AdminClient,
  worker: string,
  holds: (chunks: number | null) => boolean,
): Promise<void> {
  let shown: unknown = null
  await until(
    async () => {
      // On Cloudflare nobody asks anything for a router that nobody uses.
      expect((await bench.chat('hello')).status).toBe(200)
      const { lmcache } = (await admin.get(`/workers/${worker}`)).json()
      shown = lmcache
      return holds(lmcache.chunks) && lmcache.age_ms < 5_000
    },
    20_000,
    () => `${worker} shows ${JSON.stringify(shown)}`,
  )
}

let asked = 0

/** A prompt that is long enough to be looked up, and that nobody has seen. */
function askAnew(bench: LmcacheBench) {
  asked += 1
  return bench.chat(promptOf(`new${asked}-`, 3))
}

async function untilSight(bench: LmcacheBench, sight: () => Promise<{ state: string }>, state: string): Promise<void> {
  let seen: unknown = null
  await until(
    async () => {
      expect((await askAnew(bench)).status).toBe(200)
      const now = await sight()
      seen = now
      return now.state === state
    },
    BLIND_WITHIN_MS,
    () => `it is not ${state}: ${JSON.stringify(seen)}`,
  )
}
