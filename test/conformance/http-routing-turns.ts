// Policies that take turns or draw: round_robin, strict round_robin, random; data-parallel ranks as candidates; and what
// the record says of each decision.

import { describe, expect, test } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { type Routed, routingBench, tally } from './routing-bench.ts'

export function turnRouting(runtime: RuntimeName): void {
  describe('round_robin', () => {
    const bench = routingBench(runtime, {
      policy: 'round_robin',
      workers: {
        a: { models: ['m', 'n'] },
        b: { models: ['m', 'n'] },
        c: { models: ['m', 'n', 'ranked'], dataParallelSize: 2 },
      },
      entries: { c: { data_parallel_size: 2 } },
    })
    const CANDIDATES = ['a', 'b', 'c@0', 'c@1']
    const candidateOf = ({ record }: Routed) => String(record['worker'])
    // Isolates lease turns in blocks, so the rotation may jump once where one block ends and the next begins.
    const maxJumps = runtime === 'workerd' ? 1 : 0

    test('everybody in turn, ranks too', async () => {
      const chosen: string[] = []
      for (let index = 0; index < 32; index++) chosen.push(candidateOf(await bench.route()))
      expect(jumpsIn(chosen, CANDIDATES), chosen.join(' ')).toBeLessThanOrEqual(maxJumps)
    })

    test('two models that alternate have a rotation each', async () => {
      const models = ['m', 'n']
      const chosen: string[] = []
      for (let index = 0; index < 32; index++) {
        chosen.push(candidateOf(await bench.route({ model: models[index % 2] ?? 'm' })))
      }
      for (const parity of [0, 1]) {
        const own = chosen.filter((_, index) => index % 2 === parity)
        expect(jumpsIn(own, CANDIDATES), own.join(' ')).toBeLessThanOrEqual(maxJumps)
      }
    })

    test('requests at once are as even', async () => {
      const routed = await Promise.all(Array.from({ length: 32 }, () => bench.route()))
      const counts = tally(routed.map(candidateOf))
      for (const id of CANDIDATES) expect(Math.abs((counts[id] ?? 0) - 8)).toBeLessThanOrEqual(maxJumps)
    })

    test('each rank is addressed by its header', async () => {
      const chosen: string[] = []
      for (let index = 0; index < 8; index++) chosen.push(candidateOf(await bench.route({ model: 'ranked' })))
      expect(jumpsIn(chosen, ['c@0', 'c@1']), chosen.join(' ')).toBeLessThanOrEqual(maxJumps)
      const requests = bench.fleet
        .worker('c')
        .state()
        .requests.filter(({ body }) => body.includes('"ranked"'))
      expect(requests.map(({ headers }) => `c@${headers['x-data-parallel-rank']}`)).toEqual(chosen)
    })

    test('the record has every candidate with score or veto', async () => {
      const { candidates, record } = await bench.route({ model: 'ranked' })
      expect(candidates.map(({ worker }) => worker)).toEqual(['a', 'b', 'c@0', 'c@1'])
      expect(candidates.map(({ veto }) => veto ?? null)).toEqual(['wrong_model', 'wrong_model', null, null])
      expect(candidates.map(({ score }) => score ?? null).sort()).toEqual([-1, 0, null, null])
      const best = candidates.find(({ score }) => score === 0)
      expect(record).toMatchObject({ method: 'policy', policy: 'round_robin', worker: best?.worker, model: 'ranked' })
      expect(record).toMatchObject({ ticket: expect.any(Number), seed: expect.any(Number) })
    })
  })

  describe('round_robin, strict', () => {
    const bench = routingBench(runtime, { policy: { type: 'round_robin', strict: true } })

    test('thirty requests are ten for each, in exact turns', async () => {
      const workers = await bench.routeMany(30)
      expect(tally(workers)).toEqual({ a: 10, b: 10, c: 10 })
      for (const [at, worker] of workers.slice(3).entries()) expect(worker).toBe(workers[at])
      const routed = await Promise.all(Array.from({ length: 30 }, () => bench.route()))
      expect(tally(routed.map(({ worker }) => worker))).toEqual({ a: 10, b: 10, c: 10 })
    })
  })

  describe('random', () => {
    const bench = routingBench(runtime, { policy: 'random', entries: { a: { weight: 4 }, b: { weight: 2 } } })

    test('each about as often as its weight says', async () => {
      const routed: Awaited<ReturnType<typeof bench.route>>[] = []
      // A few at a time: what two hundred new connections at once do to a server is not the question here.
      while (routed.length < 210) routed.push(...(await Promise.all(Array.from({ length: 30 }, () => bench.route()))))
      const counts = tally(routed.map(({ worker }) => worker))
      // Expected 120, 60 and 30; five standard deviations are at most 36, 33 and 26.
      expect(counts['a']).toBeGreaterThan(84)
      expect(counts['b']).toBeGreaterThan(27)
      expect(counts['b']).toBeLessThan(93)
      expect(counts['c']).toBeGreaterThan(4)
      expect(counts['c']).toBeLessThan(56)
      expect(routed[0]?.candidates.map(({ parts }) => parts)).toEqual([{ weight: 4 }, { weight: 2 }, { weight: 1 }])
    })
  })
}

/** How often one was chosen that is not the next in turn. */
function jumpsIn(chosen: readonly string[], turns: readonly string[]): number {
  const places = chosen.map((id) => turns.indexOf(id))
  return places.slice(1).filter((place, at) => place !== ((places[at] ?? 0) + 1) % turns.length).length
}
