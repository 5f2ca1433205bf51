// Error rates, panic and half-open breakers over HTTP.

import { describe, expect, test } from 'vitest'
import { type RuntimeName, until } from '../support/launch.ts'
import { healthBench, NAMES } from './health-bench.ts'

const SELDOM = { check_interval_secs: 600 }

export function recoveryConformance(runtime: RuntimeName): void {
  describe(`error rates and panic on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: {
        health_check: SELDOM,
        circuit_breaker: { failure_threshold: 10_000, minimum_volume: 10, timeout_duration_secs: 600 },
      },
    })
    const sicken = async (name: 'a' | 'b' | 'c') => {
      await bench.fleet.worker(name).setFaults({ status: 500 })
      for (let at = 0; at < 10; at += 1) await bench.chat(`only-${name}`)
    }

    test('a worker that fails too often is ejected, and the others take its work', async () => {
      await sicken('a')
      const shown = await bench.untilWorker('a', ({ availability }) => availability === 'ejected')
      expect(shown).toMatchObject({ reason: 'error_rate', breaker: { state: 'open', error_rate: expect.any(Number) } })
      for (let at = 0; at < 6; at += 1) expect((await bench.chat()).worker).not.toBe('a')
      await bench.fleet.worker('a').setFaults([])
    })

    test('with most of the fleet ejected they are used all the same, and records say so', async () => {
      await sicken('b')
      await bench.untilWorker('b', ({ availability }) => availability === 'ejected')
      await bench.fleet.worker('b').setFaults([])
      const served = new Set<string>()
      for (let at = 0; at < 9; at += 1) {
        const { status, worker } = await bench.chat()
        expect(status).toBe(200)
        served.add(worker)
      }
      expect([...served].sort()).toEqual([...NAMES])
      const record = await bench.fleet.router.record((line) => line['panic'] === true && line['worker'] === 'a')
      const noted = (record['candidates'] as { worker: string; note?: string }[]).filter(({ note }) => note === 'panic')
      expect(noted.map(({ worker }) => worker).sort()).toEqual(['a', 'b'])
    })
  })

  describe(`a breaker that is half open on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: {
        health_check: SELDOM,
        circuit_breaker: { failure_threshold: 3, success_threshold: 1, timeout_duration_secs: 1 },
      },
    })

    test('lets exactly one request through, and that one brings the worker back, with little work at first', async () => {
      const { fleet } = bench
      await fleet.worker('a').setFaults({ status: 500 })
      for (let at = 0; at < 3; at += 1) expect((await bench.chat('only-a')).status).toBe(500)
      expect((await bench.chat('only-a')).status).toBe(503)
      expect((await bench.worker('a')).availability).toBe('open')
      // Slow enough that a hundred others meet it half open.
      await fleet.worker('a').setFaults({ slow_headers_ms: 1_500 })
      await bench.untilWorker('a', ({ availability }) => availability === 'half_open')
      const sentTo = () => fleet.worker('a').state().running
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, sentTo())), 5)
      const traffic = bench.traffic(12)
      await until(
        () => most > 0,
        8_000,
        () => 'nobody was let through',
      )
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      expect(most).toBe(1)
      clearInterval(watch)
      const shown = await bench.untilWorker('a', ({ availability }) => availability === 'up')
      expect(shown).toMatchObject({ reason: 'recovering', breaker: { state: 'closed' } })
      expect(shown.share).toBeLessThan(0.5)
      await fleet.worker('a').setFaults([])
      const answers = await traffic.stop()
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    })
  })
}
