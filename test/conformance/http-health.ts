// The health of workers as clients and operators see it: what requests find out takes a worker out and brings it back.

import { describe, expect, test } from 'vitest'
import type { RuntimeName } from '../support/launch.ts'
import { until } from '../support/launch.ts'
import { send } from '../support/http-client.ts'
import { parseEvents } from './dialect.ts'
import { ask } from '../support/ask.ts'
import { healthBench, NAMES } from './health-bench.ts'
import { drainConformance } from './http-health-drain.ts'
import { panicConformance } from './http-health-panic.ts'
import { recoveryConformance } from './http-health-recovery.ts'

/** Probes so seldom that what these suites see is what requests found out. */
const SELDOM = { check_interval_secs: 600 }

export function healthConformance(runtime: RuntimeName): void {
  deaths(runtime)
  storms(runtime)
  hangs(runtime)
  recoveryConformance(runtime)
  panicConformance(runtime)
  drainConformance(runtime)
}

function deaths(runtime: RuntimeName): void {
  describe(`a worker that dies under load on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: { health_check: SELDOM },
      workers: Object.fromEntries(NAMES.map((name) => [name, { itlMs: 20, outputTokens: 40 }])),
    })

    test('costs at most the streams that ran on it, each told so in band, and gets nothing after two seconds', async () => {
      const { fleet } = bench
      const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true, max_tokens: 40 }
      let isOver = false
      const streams: { worker: string; status: number; lastEvent: string }[] = []
      const client = async () => {
        while (!isOver) {
          const reply = await send(`${fleet.url}/v1/chat/completions`, body).reply
          const bytes = await reply.rest()
          const worker = String(reply.headers['x-vllm-router-worker'])
          streams.push({ worker, status: reply.status, lastEvent: parseEvents(bytes).at(-1)?.data ?? '' })
        }
      }
      const clients = Array.from({ length: 16 }, client)
      await until(
        () => streams.length > 32,
        10_000,
        () => 'no traffic',
      )
      const runningOnA = fleet.worker('a').state().running
      const diedAtMs = Date.now()
      await fleet.worker('a').close()
      await new Promise((resolve) => setTimeout(resolve, 4_000))
      isOver = true
      await Promise.all(clients)
      const failed = streams.filter(({ lastEvent }) => lastEvent !== '[DONE]')
      expect(failed.map(({ worker }) => worker)).toEqual(failed.map(() => 'a'))
      expect(failed.length).toBeLessThanOrEqual(runningOnA)
      for (const { status, lastEvent } of failed) {
        expect([status, JSON.parse(lastEvent).error.code]).toEqual([200, 'upstream_truncated'])
      }
      expect(Math.max(...bench.attemptsAt('a')) - diedAtMs).toBeLessThan(2_000)
      const shown = await bench.worker('a')
      expect(['suspect', 'open', 'down']).toContain(shown.availability)
    })
  })
}

function storms(runtime: RuntimeName): void {
  describe(`answers that are no faults on ${runtime}`, () => {
    const bench = healthBench(runtime, { config: { health_check: SELDOM } })

    test('a storm of callers’ errors moves no breaker', async () => {
      for (const status of [400, 401, 404, 413, 422]) {
        await bench.fleet.worker('a').setFaults({ status })
        const answers = await Promise.all(Array.from({ length: 40 }, () => bench.chat('only-a')))
        expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([status]))
      }
      await bench.fleet.worker('a').setFaults([])
      expect(await bench.worker('a')).toMatchObject({
        availability: 'up',
        share: 1,
        breaker: { state: 'closed', error_rate: null },
      })
    })

    test('pressure lowers its share for a while, and takes it out only as long as it wishes', async () => {
      await bench.fleet.worker('b').setFaults({ status: 429, times: 3 })
      for (let at = 0; at < 3; at += 1) expect((await bench.chat('only-b')).status).toBe(429)
      const shown = await bench.worker('b')
      expect(shown.availability).toBe('up')
      expect(shown.share).toBeGreaterThanOrEqual(0.5)
      expect(shown.share).toBeLessThan(0.7)
      await bench.fleet.worker('b').setFaults({ status: 503, retry_after: 2, times: 1 })
      expect((await bench.chat('only-b')).status).toBe(503)
      const served = new Set<string>()
      for (let at = 0; at < 12; at += 1) served.add((await bench.chat()).worker)
      expect(served).toEqual(new Set(['a', 'c']))
      const isBack = async () => (await bench.chat()).worker === 'b'
      await until(isBack, 10_000, () => 'b was never used again')
      expect((await bench.worker('b')).breaker.state).toBe('closed')
    })

    test('a fleet that wants to be left alone for a while is shown as busy, asked all the same, and ready', async () => {
      const readiness = async () => (await ask(`${bench.fleet.url}/readiness`)).status
      for (const name of NAMES) {
        await bench.fleet.worker(name).setFaults({ status: 503, retry_after: 60, times: 1 })
        expect((await bench.chat(`only-${name}`)).status).toBe(503)
        const shown = await bench.worker(name)
        expect(shown).toMatchObject({ availability: 'suspect', reason: 'busy', breaker: { state: 'closed' } })
        expect(Date.parse(shown.busy_until ?? '')).toBeGreaterThan(Date.now())
      }
      expect((await bench.chat()).status).toBe(200)
      expect(await readiness()).toBe(200)
    })
  })
}

function hangs(runtime: RuntimeName): void {
  describe(`a worker that hangs on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: {
        health_check: { check_interval_secs: 1, stall_secs: 2 },
        circuit_breaker: { timeout_duration_secs: 600 },
        timeouts: { first_byte: '60s', idle: '60s' },
      },
      workers: { b: { models: ['m', 'only-b'], itlMs: 300, outputTokens: 1_000 } },
    })

    test('though it says that it is well, it is found; one that is busy is not', async () => {
      const { fleet } = bench
      await fleet.worker('a').setFaults({ hang: true })
      const body = (model: string) => ({ model, messages: [{ role: 'user', content: 'hi' }], stream: true })
      const hung = send(`${fleet.url}/v1/chat/completions`, body('only-a'))
      const busy = send(`${fleet.url}/v1/chat/completions`, body('only-b'))
      const startedAtMs = performance.now()
      const shown = await bench.untilWorker('a', ({ availability }) => availability === 'hung', 15_000)
      expect(performance.now() - startedAtMs).toBeGreaterThan(2_000)
      expect(shown).toMatchObject({ reason: 'no_progress', breaker: { state: 'open' } })
      expect((await bench.worker('b')).availability).toBe('up')
      for (let at = 0; at < 6; at += 1) expect((await bench.chat('m', { max_tokens: 1 })).worker).not.toBe('a')
      const refused = await bench.chat('only-a')
      expect(refused.status).toBe(503)
      hung.leave()
      busy.leave()
    })
  })
}
