// Policies that look at load: least_load, power_of_two, and one of an operator's own that is loaded as a plugin.

import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { routingBench, tally } from './routing-bench.ts'

/** Worker a alone has a second model, by which a test can make it busy. */
const BUSY_A = { workers: { a: { models: ['m', 'only-a'] } } }

export function loadRouting(runtime: RuntimeName): void {
  describe('least_load', () => {
    const bench = routingBench(runtime, { policy: 'least_load', ...BUSY_A })

    test('spreads what is in flight', async () => {
      const { release } = await bench.occupy(6)
      // Six requests at once may be decided before the first is counted on another isolate, never within one.
      expect(bench.running()).toEqual([2, 2, 2])
      await release()
    })

    test('leaves a busy worker alone, and says why', async () => {
      const { release } = await bench.occupy(2, { model: 'only-a' })
      const { candidates, record } = await bench.route()
      expect(candidates[0]).toMatchObject({ worker: 'a', score: -2, parts: { in_flight_here: 2, load: 2 } })
      expect(candidates.slice(1).map(({ score }) => score)).toEqual([0, 0])
      expect(record['policy']).toBe('least_load')
      expect(await bench.routeMany(15)).not.toContain('a')
      await release()
      const { candidates: after } = await bench.route()
      expect(after.map(({ parts }) => parts?.['in_flight_here'])).toEqual([0, 0, 0])
    })
  })

  describe('power_of_two', () => {
    const bench = routingBench(runtime, { policy: 'power_of_two', ...BUSY_A })

    test('uses every worker when all are idle', async () => {
      expect(Object.keys(tally(await bench.routeMany(30))).sort()).toEqual(['a', 'b', 'c'])
    })

    test('of the two drawn the less loaded one wins', async () => {
      const { release } = await bench.occupy(3, { model: 'only-a' })
      for (let round = 0; round < 15; round++) {
        const { worker, candidates } = await bench.route()
        const drawn = candidates.filter(({ score }) => score !== undefined)
        expect(drawn).toHaveLength(2)
        expect(worker).not.toBe('a')
        const best = drawn.toSorted((left, right) => (right.score ?? 0) - (left.score ?? 0))[0]
        expect(best?.worker).toBe(worker)
      }
      await release()
    })
  })

  describe("a policy of the operator's own", () => {
    const plugin = fileURLToPath(new URL('../fixtures/policies/prefer-label.ts', import.meta.url))
    const bench = routingBench(runtime, {
      policy: { type: 'prefer_label', label: 'tier', value: 'fast' },
      entries: { a: { labels: { tier: 'slow' } }, b: { labels: { tier: 'fast' } } },
      args: ['--plugin', plugin],
    })

    test('is named in the configuration and decides', async () => {
      expect(tally(await bench.routeMany(10))).toEqual({ b: 10 })
      const { record, candidates } = await bench.route()
      expect(record['policy']).toBe('prefer_label')
      expect(candidates.map(({ parts }) => parts?.['preferred'])).toEqual([0, 1, 0])
    })
  })
}
