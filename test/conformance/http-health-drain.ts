// A drain over HTTP: how soon no request goes there any more, and what becomes of those that run.

import { describe, expect, test } from 'vitest'
import { send } from '../support/http-client.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { parseEvents } from './dialect.ts'
import { healthBench, NAMES } from './health-bench.ts'

export function drainConformance(runtime: RuntimeName): void {
  describe(`a drain under load on ${runtime}`, () => {
    const bench = healthBench(runtime, {
      config: { health_check: { check_interval_secs: 1 } },
      workers: Object.fromEntries(NAMES.map((name) => [name, { itlMs: 10, outputTokens: 400 }])),
    })

    test('is seen within two seconds, cuts nothing, parks the worker at its last byte, and can be undone', async () => {
      const { fleet, admin } = bench
      const body = { model: 'only-a', messages: [{ role: 'user', content: 'hi' }], stream: true, max_tokens: 400 }
      const stream = send(`${fleet.url}/v1/chat/completions`, body).reply
      const traffic = bench.traffic(8)
      await until(
        () => fleet.worker('a').state().running > 0,
        5_000,
        () => 'the stream did not begin',
      )
      const drainedAtMs = Date.now()
      expect((await admin.post('/admin/drain', { id: 'a', timeout_secs: 60 })).status).toBe(202)
      expect((await bench.worker('a')).drain).toMatchObject({ state: 'draining' })
      const events = parseEvents(await (await stream).rest())
      expect(events.at(-1)?.data).toBe('[DONE]')
      const parked = await bench.untilWorker('a', ({ drain }) => drain?.state === 'parked', 15_000)
      expect(parked).toMatchObject({ availability: 'parked', load: 0, drain: { in_flight: 0, left_running: null } })
      // The stream itself ended later than that; what began after the drain did not.
      const short = bench
        .attemptsAt('a')
        .filter((atMs) => atMs > drainedAtMs)
        .slice(0, -1)
      expect(Math.max(drainedAtMs, ...short) - drainedAtMs).toBeLessThan(2_000)
      expect((await bench.chat('only-a')).status).toBe(503)

      expect((await admin.post('/admin/undrain', { id: 'a' })).status).toBe(200)
      await until(
        async () => (await bench.chat('only-a')).status === 200,
        5_000,
        () => 'never used again',
      )
      const answers = await traffic.stop()
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    })

    test('at its deadline the worker is parked, and says how many it left running; they end as they would', async () => {
      const { fleet, admin } = bench
      const body = { model: 'only-b', messages: [{ role: 'user', content: 'hi' }], stream: true, max_tokens: 300 }
      const streams = [1, 2].map(() => send(`${fleet.url}/v1/chat/completions`, body).reply)
      await until(
        () => fleet.worker('b').state().running === 2,
        5_000,
        () => 'the streams did not begin',
      )
      await admin.post('/admin/drain', { id: 'b', timeout_secs: 0.2 })
      const parked = await bench.untilWorker('b', ({ drain }) => drain?.state === 'parked')
      expect(parked.drain?.left_running).toBe(2)
      for (const stream of streams) {
        expect(parseEvents(await (await stream).rest()).at(-1)?.data).toBe('[DONE]')
      }
      expect((await admin.post('/admin/undrain', { id: 'b' })).status).toBe(200)
    })

    test('worker after worker under 32 streams: none fails, none is torn', { timeout: 120_000 }, async () => {
      const { fleet, admin } = bench
      const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true, max_tokens: 100 }
      const ends: { readonly status: number; readonly last: string | undefined }[] = []
      let isOver = false
      const client = async () => {
        while (!isOver) {
          const reply = await send(`${fleet.url}/v1/chat/completions`, body).reply
          ends.push({ status: reply.status, last: parseEvents(await reply.rest()).at(-1)?.data })
        }
      }
      const clients = Array.from({ length: 32 }, client)
      for (const name of NAMES) {
        await until(
          () => fleet.worker(name).state().running > 5,
          20_000,
          () => `${name} has nothing to do`,
        )
        await admin.post('/admin/drain', { id: name, timeout_secs: 60 })
        const parked = await bench.untilWorker(name, ({ drain }) => drain?.state === 'parked', 20_000)
        expect(parked.drain).toMatchObject({ in_flight: 0, left_running: null })
        expect(fleet.worker(name).state().running).toBe(0)
        await admin.post('/admin/undrain', { id: name })
      }
      isOver = true
      await Promise.all(clients)
      expect(ends.length).toBeGreaterThan(64)
      expect(ends.filter(({ status, last }) => status !== 200 || last !== '[DONE]')).toEqual([])
    })
  })
}
