// However many isolates or processes a router has, LMCache's control plane is polled by one of them, and all of them know.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type StartedController,
  type StartedWorker,
  startSimulatedController,
  startSimulatedWorker,
} from '../../src/runtime/node-simulator.ts'
import { type AdminClient, adminClient } from '../support/admin-client.ts'
import { chatBody } from '../support/ask.ts'
import { fetchWhole } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, until } from '../support/launch.ts'
import { routerGroup } from '../support/router-group.ts'
import { startIsolates, type WorkerdIsolates } from '../support/workerd-isolates.ts'

const ISOLATES = 8
const ADMIN_KEY = 'operator'

/** Polls come once a second, a tenth less at the least. */
const SOONEST_MS = 900

let controller: StartedController
let worker: StartedWorker

beforeAll(async () => {
  controller = await startSimulatedController({ port: 0, logRequests: 10_000 })
  const answersAtOnce = { port: 0, prefillOverheadMs: 0, prefillMsPerToken: 0, itlMs: 0, itlJitter: 0 }
  // Known to the control plane by the address that the router has for it.
  worker = await startSimulatedWorker({ ...answersAtOnce, models: ['m'], lmcacheController: controller.url })
  const tokens = Array.from({ length: 1_024 }, (_, at) => at)
  await fetchWhole(`${worker.url}/v1/completions`, { model: 'm', prompt: tokens, max_tokens: 1 })
  await until(
    () => Object.values(controller.state().keys).some((keys) => keys >= 4),
    10_000,
    () => 'the worker has not reported',
  )
})
afterAll(async () => {
  await worker?.close()
  await controller?.close()
})

const polls = () => controller.state().requests.filter(({ target }) => target === '/controller/workers').length

const policyOf = () => ({ type: 'lmcache_aware', controller_url: controller.url, poll_interval_secs: 1 })

interface Shown {
  readonly state: string
  readonly chunks: number | null
  readonly age_ms: number | null
}

/** Polls over some seconds, in which requests keep everybody busy; then everybody must know what was said. */
async function pollsUnderTraffic(urls: readonly string[], occupancies: () => Promise<readonly Shown[]>): Promise<void> {
  let isOver = false
  const clients = urls.map(async (url) => {
    while (!isOver) {
      expect((await fetchWhole(`${url}/v1/chat/completions`, chatBody('m'))).status).toBe(200)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })
  try {
    const known = async () =>
      (await occupancies()).every(({ state, chunks }) => state === 'fresh' && (chunks ?? 0) >= 4)
    await until(known, 30_000, () => 'not everybody knows')
    const before = polls()
    const startedAtMs = Date.now()
    await until(
      () => polls() - before >= 5,
      60_000,
      () => 'nobody polls',
    )
    expect(polls() - before).toBeLessThanOrEqual((Date.now() - startedAtMs) / SOONEST_MS + 1)
    for (const { age_ms: ageMs } of await occupancies()) expect(ageMs).toBeLessThan(5_000)
  } finally {
    isOver = true
    await Promise.all(clients)
  }
}

/** A reload that brings LMCache, and one that ends it; `config` has it. */
async function reloads(admin: AdminClient, config: object, look: () => Promise<void>): Promise<void> {
  const put = async (next: object) => {
    const answer = await admin.putConfig(next)
    expect(answer.status, answer.text).toBe(200)
  }
  await put({ ...config, policy: { type: 'random' } })
  await until(
    async () => {
      await look()
      const before = polls()
      await new Promise((resolve) => setTimeout(resolve, 3 * SOONEST_MS))
      return polls() === before
    },
    30_000,
    () => 'polls go on',
  )
  expect((await admin.get('/admin/stats')).json()).not.toHaveProperty('lmcache')
  await put(config)
  await until(
    async () => {
      await look()
      return (await admin.get('/admin/stats')).json().lmcache?.occupancy.state === 'fresh'
    },
    30_000,
    () => 'nobody polls again',
  )
}

describe('eight isolates', { timeout: 120_000 }, () => {
  let isolates: WorkerdIsolates

  beforeAll(async () => {
    const config = { admin_api_key: ADMIN_KEY, workers: [{ id: 'a', url: worker.url }], policy: policyOf() }
    isolates = await startIsolates(ISOLATES, JSON.stringify(config))
  })
  afterAll(() => isolates?.stop())

  test('have the control plane polled once an interval, and all know', async () => {
    await pollsUnderTraffic(isolates.urls, () =>
      Promise.all(
        isolates.urls.map(async (url) => {
          const { lmcache } = (await adminClient(() => url, ADMIN_KEY).get('/admin/stats')).json()
          return lmcache.occupancy
        }),
      ),
    )
  })
})

describe.each(['node', 'workerd'] as const)('a router on %s', { timeout: 120_000 }, (runtime) => {
  let router: LaunchedRouter

  const config = () => ({
    workers: [{ id: 'a', url: worker.url }],
    policy: policyOf(),
    allowed_service_hosts: ['http://127.0.0.1:*'],
  })

  beforeAll(async () => {
    router = await launchRouter(runtime, { config: JSON.stringify(config()) })
  })
  afterAll(() => router?.stop())

  test('begins and ends to poll with its configuration', async () => {
    const admin = adminClient(() => router.url, null)
    await reloads(admin, config(), async () => {
      // On Cloudflare nobody asks anything for a router that nobody uses.
      expect((await fetchWhole(`${router.url}/v1/chat/completions`, chatBody('m'))).status).toBe(200)
    })
  })
})

describe('three processes with a Redis', { timeout: 120_000 }, () => {
  const group = routerGroup({
    runtimes: ['node', 'node', 'node'],
    config: {
      // Read once the control plane has an address.
      get policy() {
        return policyOf()
      },
    },
  })
  const occupancies = () =>
    Promise.all(
      group.living().map(async ({ admin }) => (await admin.get('/admin/stats')).json().lmcache.occupancy as Shown),
    )
  const urls = () => group.living().map(({ router }) => router.url)

  test('have the control plane polled by their leader once an interval, and all know', async () => {
    await group.leader()
    await pollsUnderTraffic(urls(), occupancies)
  })

  test('have it polled by the next leader when theirs is killed', async () => {
    await (await group.leader()).router.signal('SIGKILL')
    await group.leader()
    await pollsUnderTraffic(urls(), occupancies)
  })
})
