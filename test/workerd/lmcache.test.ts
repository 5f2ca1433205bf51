// Polls of LMCache's control plane by the alarm of a pool's root object: in time, by nobody else, and known to isolates
// through replicas.

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { reportOf } from '../support/fleet.ts'
import { advance, configOf, createIsolate, fake, fleetObject, POOL, probes, root, useFleet } from './rig.ts'

useFleet()

const CONFIG = configOf(
  '{type: lmcache_aware, controller_url: "http://lmcache.test:9000", poll_interval_secs: 4, controller_api_key: "k-1"}',
  'health_check: {check_interval_secs: 5}',
)

/** What the control plane answers; null while it refuses connections. */
let answer: (() => Response) | null
const keys: (string | null)[] = []

const told =
  (...counts: readonly number[]) =>
  () =>
    Response.json({
      workers: counts.map((count, rank) => ({ instance_id: 'a', worker_id: rank, ip: '10.0.0.1', key_count: count })),
    })

beforeEach(async () => {
  answer = told(12)
  keys.length = 0
  const { getMockImplementation } = vi.mocked(globalThis.fetch)
  const others = getMockImplementation()
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).hostname !== 'lmcache.test') return (await others?.(request)) ?? new Response()
    fake.requests.push(`${request.method} ${request.url}`)
    keys.push(request.headers.get('authorization'))
    if (answer === null) throw new Error('Network connection lost.')
    return answer()
  })
  await configureRoot()
})

async function configureRoot(): Promise<void> {
  await runInDurableObject(root(), (object) => {
    Reflect.set(object, 'env', { ...Reflect.get(object, 'env'), ROUTER_CONFIG: CONFIG })
  })
}

const polls = () => fake.requests.filter((line) => line === 'GET http://lmcache.test:9000/controller/workers').length

/** Lets time pass as alarms see it: each runs when it is due. Ends once what they began has been answered. */
async function pass(ms: number): Promise<void> {
  const untilMs = Date.now() + ms
  for (;;) {
    const atMs = await runInDurableObject(root(), (_, state) => state.storage.getAlarm())
    if (atMs === null || atMs > untilMs) break
    advance(Math.max(0, atMs - Date.now()))
    await runDurableObjectAlarm(root())
  }
  advance(untilMs - Date.now())
}

async function occupancy() {
  return (await root().sync(reportOf('x'))).lmcache
}

describe('the root', () => {
  test('polls by its alarm once an interval, with its key, and the rounds of probes keep theirs', async () => {
    await root().sync(reportOf('x'))
    await pass(20_500)
    const [polled, asked] = [polls(), probes() / 3]
    // Jitter of a tenth: 4.4 s and 5.5 s apart at the most, and the first at once.
    expect(polled).toBeGreaterThanOrEqual(5)
    expect(polled).toBeLessThanOrEqual(6)
    expect(asked).toBeGreaterThanOrEqual(4)
    expect(asked).toBeLessThanOrEqual(6)
    expect(new Set(keys)).toEqual(new Set(['Bearer k-1']))
    await vi.waitFor(async () => {
      expect(await occupancy()).toMatchObject({ lastPoll: 'ok', instances: [{ instanceId: 'a', chunks: 12 }] })
    })
  })

  test('divides out ranks, and keeps what was said with its age while it fails', async () => {
    answer = told(12, 10)
    await root().sync(reportOf('x'))
    await pass(500)
    await vi.waitFor(async () => expect((await occupancy())?.instances).toMatchObject([{ chunks: 11 }]))
    answer = null
    await pass(9_500)
    await vi.waitFor(async () => expect((await occupancy())?.lastPoll).toBe('unreachable'))
    const { instances, ageMs } = (await occupancy()) ?? {}
    expect(instances).toMatchObject([{ chunks: 11 }])
    expect(ageMs).toBeGreaterThanOrEqual(9_000)
  })

  test('does not poll for a router that nobody uses, and begins again with the first request', async () => {
    await root().sync(reportOf('x'))
    await pass(70_000)
    const before = polls()
    await pass(600_000)
    expect(polls()).toBe(before)
    await root().sync(reportOf('x'))
    await pass(1_000)
    await vi.waitFor(() => expect(polls()).toBe(before + 1))
  })

  test('knows again soon after it was evicted', async () => {
    await root().sync(reportOf('x'))
    await pass(500)
    await evictDurableObject(root())
    await configureRoot()
    await root().sync(reportOf('x'))
    await pass(500)
    await vi.waitFor(async () => expect((await occupancy())?.instances).toHaveLength(1))
  })

  test('alone polls: replicas pass on what it knows', async () => {
    const isolates = Array.from({ length: 8 }, () => createIsolate({ config: CONFIG }))
    for (const isolate of isolates) await isolate.chat()
    await pass(500)
    await vi.waitFor(async () => expect(await occupancy()).toBeDefined())
    advance(2_100)
    const before = polls()
    for (const isolate of isolates) await isolate.chat()
    expect(polls()).toBe(before)
    const replica = await fleetObject(`${POOL}/replica/0`).sync(reportOf('y'))
    expect(replica.lmcache?.instances).toMatchObject([{ instanceId: 'a', chunks: 12 }])
    for (const isolate of isolates) {
      const { response } = await isolate.fetch('/health')
      expect(response.status).toBe(200)
    }
  })
})
