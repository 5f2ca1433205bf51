// Six isolates of one router over the same objects, in a real workerd: how soon all of them know of a drain and of an
// ejection, that they try a worker again one request at a time between them, and that all forget what one is told to forget.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { adminClient } from '../support/admin-client.ts'
import { fetchWhole } from '../support/http-client.ts'
import { until } from '../support/launch.ts'
import { expectPurgeEverywhere } from '../support/purged-memories.ts'
import { startIsolates, type WorkerdIsolates } from '../support/workerd-isolates.ts'

const NAMES = ['a', 'b', 'c'] as const
const ADMIN_KEY = 'operator'

/** Pauses of the isolates' clients: from busy isolates to ones that look at their copy once before it is too old. */
const PAUSES_MS = [5, 20, 50, 150, 400, 900]

/** What docs/health.md promises. */
const KNOWN_AFTER_MS = 2_000

const workers = new Map<string, StartedWorker>()
let isolates: WorkerdIsolates

beforeAll(async () => {
  for (const name of NAMES) {
    const answersAtOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0 }
    workers.set(name, await startSimulatedWorker({ ...answersAtOnce, models: ['m'], logRequests: 100_000 }))
  }
  const config = {
    admin_api_key: ADMIN_KEY,
    workers: NAMES.map((id) => ({ id, url: workerNamed(id).url })),
    policy: 'round_robin',
    health_check: { check_interval_secs: 600 },
    cache: { ttl_secs: 600 },
    circuit_breaker: { failure_threshold: 5, success_threshold: 1, timeout_duration_secs: 5 },
  }
  isolates = await startIsolates(PAUSES_MS.length, JSON.stringify(config))
})
afterAll(async () => {
  await isolates?.stop()
  await Promise.all([...workers.values()].map((worker) => worker.close()))
})

function workerNamed(name: string): StartedWorker {
  const worker = workers.get(name)
  if (worker === undefined) throw new Error(`no worker ${name}`)
  return worker
}

/** Keeps every isolate busy at its own pace while `during` runs. Returns the statuses of all answers. */
async function underTraffic(during: () => Promise<void>): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>()
  let isOver = false
  const clients = isolates.urls.map(async (url, at) => {
    while (!isOver) {
      const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }
      statuses.add((await fetchWhole(`${url}/v1/chat/completions`, body)).status)
      await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[at]))
    }
  })
  await during().finally(() => (isOver = true))
  await Promise.all(clients)
  return statuses
}

const admin = adminClient(() => isolates.urls[0] ?? '', ADMIN_KEY)

const arrivals = (name: string) =>
  workerNamed(name)
    .state()
    .requests.filter(({ method }) => method === 'POST')
    .map(({ arrivedAtMs }) => arrivedAtMs)

async function untilWorkerIs(name: string, word: string): Promise<void> {
  let shown = ''
  await until(
    async () => {
      shown = (await (await admin.get(`/workers/${name}`)).json()).availability
      return shown === word
    },
    20_000,
    () => `${name} is ${shown} and not ${word}`,
  )
}

/** Milliseconds after `sinceMs` until the last request reached a worker that all should have left alone. */
async function lastArrivalAfter(name: string, sinceMs: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2 * KNOWN_AFTER_MS))
  return Math.max(0, ...arrivals(name).map((atMs) => atMs - sinceMs))
}

describe('six isolates', () => {
  test('forget a purged answer, each of them', async () => {
    await expectPurgeEverywhere(isolates.urls, admin)
  })

  test('leave a drained worker alone within two seconds, each of them', async () => {
    const statuses = await underTraffic(async () => {
      await until(
        () => arrivals('a').length > 50,
        20_000,
        () => 'no traffic',
      )
      expect((await admin.post('/admin/drain', { id: 'a', timeout_secs: 60 })).status).toBe(202)
      const afterMs = await lastArrivalAfter('a', Date.now())
      expect(afterMs).toBeLessThan(KNOWN_AFTER_MS)
      expect((await admin.post('/admin/undrain', { id: 'a' })).status).toBe(200)
    })
    expect(statuses).toEqual(new Set([200]))
  })

  test('leave an ejected worker alone within two seconds, and try it again one at a time', async () => {
    let most = 0
    await underTraffic(async () => {
      await workerNamed('b').setFaults({ status: 500 })
      await untilWorkerIs('b', 'open')
      const afterMs = await lastArrivalAfter('b', Date.now())
      expect(afterMs).toBeLessThan(KNOWN_AFTER_MS)

      // Slow enough that many other requests are decided while the first is on its way.
      await workerNamed('b').setFaults({ slow_headers_ms: 1_500 })
      const watch = setInterval(() => (most = Math.max(most, workerNamed('b').state().running)), 5)
      await until(
        () => most > 0,
        20_000,
        () => 'nobody was let through',
      )
      await untilWorkerIs('b', 'up').finally(() => clearInterval(watch))
      await workerNamed('b').setFaults([])
    })
    expect(most).toBe(1)
  })
})
