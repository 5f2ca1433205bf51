// Many workers in trouble at once, over HTTP: where panic begins, who it uses, and what goes by availability without it.

import { afterAll, describe, expect, test } from 'vitest'
import { adminClient } from '../support/admin-client.ts'
import { ask } from '../support/ask.ts'
import { fetchWhole } from '../support/http-client.ts'
import { type HttpWorker, startHttpWorker } from '../support/http-worker.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { liveFleet } from '../support/live-fleet.ts'

const ADMIN_KEY = 'operator'
const NAMES = ['a', 'b', 'c', 'd', 'e'] as const
type Name = (typeof NAMES)[number]

/** All serve `m`; `a` and `b` serve `rare` too. */
const modelsOf = (name: Name) => (name === 'a' || name === 'b' ? ['m', 'rare'] : ['m'])

export function panicConformance(runtime: RuntimeName): void {
  describe(`probes that are wrong on ${runtime}`, () => {
    const fleet = liveFleet<Name>(runtime, {
      workers: { a: on('a'), b: on('b'), c: on('c'), d: on('d'), e: on('e') },
      config: (urls) => ({
        admin_api_key: ADMIN_KEY,
        workers: NAMES.map((id) => ({ id, url: urls[id], models: modelsOf(id) })),
        policy: 'round_robin',
        health_check: { check_interval_secs: 0.2, timeout_secs: 0.5, failure_threshold: 2, success_threshold: 1 },
        model_rules: [{ match: 'rare-or-m', fallback: ['rare', 'm'] }],
      }),
    })
    const admin = adminClient(() => fleet.url, ADMIN_KEY)
    const wordOf = async (name: Name): Promise<string> =>
      (await (await admin.get(`/workers/${name}`)).json()).availability

    /** Has the health endpoints of these workers, and of no others, say 503; their models are served all the same. */
    async function misjudge(names: readonly Name[]): Promise<void> {
      for (const name of NAMES) await fleet.worker(name).setFaults(names.includes(name) ? { health: 503 } : [])
      for (const name of NAMES) {
        const word = names.includes(name) ? 'ejected' : 'up'
        await until(
          async () => (await wordOf(name)) === word,
          15_000,
          () => `${name} is not ${word}`,
        )
      }
    }
    async function chat(model: string) {
      const body = { model, messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }
      const { status, headers } = await fetchWhole(`${fleet.url}/v1/chat/completions`, body)
      const requestId = String(headers['x-request-id'])
      const { panic } = await fleet.router.record((record) => record['request_id'] === requestId)
      return {
        status,
        panic,
        worker: String(headers['x-vllm-router-worker']),
        model: headers['x-vllm-router-model'],
      }
    }
    /** Asks until all of `expected` have served: one that has just come back gets little work at first. */
    async function expectServers(model: string, expected: string, isPanic: boolean): Promise<void> {
      const used = new Set<string>()
      for (let at = 0; at < 10 || (at < 200 && used.size < expected.length); at += 1) {
        const { status, worker, panic } = await chat(model)
        expect([status, panic === true]).toEqual([200, isPanic])
        used.add(worker)
      }
      expect([...used].sort().join('')).toBe(expected)
    }
    const readiness = async () => ask(`${fleet.url}/readiness`)

    test('take out half of a model’s workers at most', { timeout: 60_000 }, async () => {
      await misjudge(['a', 'c'])
      await expectServers('m', 'bde', false)
      await expectServers('rare', 'b', false)
      expect((await readiness()).status).toBe(200)
    })

    test(
      'of more than half are not believed; rules and readiness go by them all the same',
      { timeout: 60_000 },
      async () => {
        await misjudge(['a', 'b'])
        await expectServers('rare', 'ab', true)
        await expectServers('m', 'cde', false)
        expect(await chat('rare-or-m')).toMatchObject({ status: 200, model: 'm' })
        expect((await readiness()).json()).toMatchObject({ status: 'not_ready', reason: 'no worker for: rare' })
      },
    )

    test('of all take nobody out but those an operator wants out, or that are gone', { timeout: 60_000 }, async () => {
      await admin.post('/admin/undrain', { id: 'c' })
      await misjudge(NAMES)
      await expectServers('m', 'abcde', true)
      expect((await admin.post('/admin/drain', { id: 'c', timeout_secs: 60 })).status).toBe(202)
      await until(
        async () => ['draining', 'parked'].includes(await wordOf('c')),
        5_000,
        () => 'no drain',
      )
      await expectServers('m', 'abde', true)
      await fleet.worker('d').setFaults({ refuse: true })
      await until(
        async () => (await wordOf('d')) === 'down',
        15_000,
        () => 'd is not down',
      )
      await expectServers('m', 'abe', true)
      expect((await admin.post('/admin/undrain', { id: 'c' })).status).toBe(200)
    })
  })

  describe(`a worker that answers no probe on ${runtime}`, () => {
    let silent: HttpWorker | null = null
    const fleet = liveFleet<'a'>(runtime, {
      workers: { a: on('a') },
      async config({ a }) {
        silent = await startHttpWorker(() => {})
        return {
          workers: [
            { id: 'silent', url: silent.url },
            { id: 'a', url: a },
          ],
          health_check: { timeout_secs: 25 },
        }
      },
    })
    afterAll(() => silent?.close())

    test('does not hold up the first request that another can take', async () => {
      const startedAtMs = performance.now()
      const body = { model: 'rare', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }
      const { status, headers } = await fetchWhole(`${fleet.url}/v1/chat/completions`, body)
      expect([status, headers['x-vllm-router-worker']]).toEqual([200, 'a'])
      expect(performance.now() - startedAtMs).toBeLessThan(15_000)
    })
  })
}

function on(name: Name) {
  return { models: modelsOf(name) }
}
