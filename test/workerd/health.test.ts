// The health of workers through the lives of the objects that keep it, and how soon every isolate knows.

import { evictAllDurableObjects, evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { FleetSnapshot, WorkerOutcomes } from '../../src/store/fleet-store.ts'
import { defaultBreaker, outcomesOf, reportOf } from '../support/fleet.ts'
import {
  advance,
  chatInit,
  configOf,
  createIsolate,
  fake,
  fleetObject,
  type Isolate,
  POOL,
  probes,
  root,
  useFleet,
} from './rig.ts'

useFleet()

const BREAKER = defaultBreaker()

const replica = (index: number) => fleetObject(`${POOL}/replica/${index}`)

const stateOf = ({ workers }: FleetSnapshot, workerId: string) => workers.find((worker) => worker.workerId === workerId)

let seq = 0

/** Tells the root of attempts at worker `a`, in the epoch it is in. */
async function tell(counts: Partial<WorkerOutcomes>): Promise<FleetSnapshot> {
  const epoch = stateOf(await root().sync(reportOf('teller')), 'a')?.epoch ?? 0
  seq += 1
  const outcomes = { sender: 'teller', seq, workers: [outcomesOf('a', { epoch, ...counts })] }
  return root().sync(reportOf('teller', { outcomes }))
}

describe('an object that comes back', () => {
  test('knows who is drained, whose breaker is open, and when that ends', async () => {
    await root().drain('b', Date.now() + 300_000)
    const before = await tell({ faults: BREAKER.failureThreshold })
    expect(before.workers.map(({ availability }) => availability)).toEqual(['open', 'draining', 'up'])
    await evictDurableObject(root())
    const after = await root().sync(reportOf('x'))
    expect(after.workers).toEqual(before.workers)
    await evictDurableObject(root())
    await runDurableObjectAlarm(root())
    advance(BREAKER.openMs)
    const later = await root().sync(reportOf('x'))
    expect(later.workers.map(({ availability }) => availability)).toEqual(['half_open', 'parked', 'up'])
    await root().undrain('b')
    await evictDurableObject(root())
    expect(stateOf(await root().sync(reportOf('x')), 'b')).toMatchObject({ availability: 'up', drain: null })
  })

  test('an attempt that began before it opened says nothing in its next life either', async () => {
    const before = await tell({ faults: BREAKER.failureThreshold })
    const epoch = (stateOf(before, 'a')?.epoch ?? 0) - 1
    await evictDurableObject(root())
    advance(BREAKER.openMs)
    const late = { sender: 'late', seq: 1, workers: [outcomesOf('a', { epoch, oks: 99 })] }
    expect(stateOf(await root().sync(reportOf('late', { outcomes: late })), 'a')?.availability).toBe('half_open')
  })

  test('a permit in use goes on counting, once its holder has spoken of it', async () => {
    await tell({ faults: BREAKER.failureThreshold })
    advance(BREAKER.openMs)
    const { permits } = await root().sync(reportOf('x', { wantsPermits: true }))
    const held = permits.map((permit) => ({ ...permit, isInUse: true }))
    await root().sync(reportOf('x', { permits: held }))
    await evictDurableObject(root())
    await root().sync(reportOf('x', { permits: held }))
    expect((await root().sync(reportOf('y', { wantsPermits: true }))).permits).toEqual([])
    await root().sync(reportOf('x'))
    const [next] = (await root().sync(reportOf('y', { wantsPermits: true }))).permits
    expect(next?.id).toBeGreaterThan(permits[0]?.id ?? Number.POSITIVE_INFINITY)
  })

  test('a replica that comes back tells its outcomes once, and loses none that it was given anew', async () => {
    await replica(0).sync(reportOf('x', { isUrgent: true }))
    const epoch = stateOf(await root().sync(reportOf('z')), 'a')?.epoch ?? 0
    const part = Math.floor((BREAKER.failureThreshold - 1) / 2)
    const batch = (number: number) => ({
      sender: 'x',
      seq: number,
      workers: [outcomesOf('a', { epoch, faults: part })],
    })
    await replica(0).sync(reportOf('x', { outcomes: batch(1), isUrgent: true }))
    await evictDurableObject(replica(0))
    await replica(0).sync(reportOf('x', { outcomes: batch(2), isUrgent: true }))
    expect(stateOf(await root().sync(reportOf('z')), 'a')?.availability).toBe('up')
    await replica(0).sync(reportOf('x', { outcomes: batch(3), isUrgent: true }))
    expect(stateOf(await root().sync(reportOf('z')), 'a')?.availability).toBe('open')
  })

  test('no lease is left over: what nobody reports any more is gone', async () => {
    const inFlight = new Map([['a', 3]])
    await replica(0).sync(reportOf('x', { inFlight, isUrgent: true }))
    await root().drain('a', Date.now() + 300_000)
    await evictAllDurableObjects()
    advance(10_000)
    const running = await replica(0).sync(reportOf('x', { inFlight, isUrgent: true }))
    expect(stateOf(running, 'a')?.drain).toMatchObject({ state: 'draining', inFlight: 3 })
    advance(8_000)
    const ended = await replica(0).sync(reportOf('x', { isUrgent: true }))
    expect(stateOf(ended, 'a')?.drain).toMatchObject({ state: 'parked', inFlight: 0 })
  })
})

test('a probe that fails, or several, are known for what they are after an eviction', async () => {
  await root().sync(reportOf('x'))
  fake.down.add('c.test')
  const words: (string | undefined)[] = []
  for (let round = 0; round < 4; round += 1) {
    advance(6_000)
    await runDurableObjectAlarm(root())
    await evictDurableObject(root())
    words.push(stateOf(await root().sync(reportOf('x')), 'c')?.availability)
  }
  // What was counted towards a threshold is lost with the memory; what it came to is not.
  expect(words.every((word) => word === 'suspect')).toBe(true)
  for (let round = 0; round < 3; round += 1) {
    advance(6_000)
    await runDurableObjectAlarm(root())
  }
  await evictDurableObject(root())
  expect(stateOf(await root().sync(reportOf('x')), 'c')?.availability).toBe('down')
})

describe('after hours in which nobody asked for anything', () => {
  const HOSTS = ['a.test', 'b.test', 'c.test']

  /** All workers are found down, requests stop, and so does probing. */
  async function losesAll(isolate: Isolate): Promise<void> {
    await isolate.chat()
    for (const host of HOSTS) fake.down.add(host)
    for (let round = 0; round < 4; round += 1) {
      advance(6_000)
      await runDurableObjectAlarm(root())
    }
    expect((await root().sync(reportOf('x'))).workers.map(({ availability }) => availability)).toEqual(
      HOSTS.map(() => 'down'),
    )
    advance(61_000)
    await runDurableObjectAlarm(root())
    expect(await runDurableObjectAlarm(root())).toBe(false)
    advance(5 * 3_600_000)
    fake.down.clear()
  }

  for (const isEvicted of [false, true]) {
    test(`the first request is served by workers that are back${isEvicted ? ', though the object was put away' : ''}`, async () => {
      const isolate = createIsolate()
      await losesAll(isolate)
      if (isEvicted) await evictAllDurableObjects()
      expect(HOSTS).toContain(await isolate.chat())
    })
  }

  test('workers that were well serve it without being asked first', async () => {
    const isolate = createIsolate()
    await isolate.chat()
    advance(61_000)
    await runDurableObjectAlarm(root())
    advance(5 * 3_600_000)
    const before = fake.requests.length
    fake.onRequest = ({ method }) => expect(method).toBe('POST')
    expect(HOSTS).toContain(await isolate.chat())
    fake.onRequest = null
    expect(fake.requests.slice(before).filter((line) => line.startsWith('GET'))).toEqual([])
  })

  test('several requests at once ask the workers once', async () => {
    const isolate = createIsolate()
    await losesAll(isolate)
    const before = probes()
    const answers = await Promise.all([1, 2, 3, 4].map(() => createIsolate().chat()))
    expect(answers.every((host) => HOSTS.includes(host))).toBe(true)
    expect(probes() - before).toBe(3)
  })
})

describe('how soon everybody knows', () => {
  const ISOLATES = 6
  /** Each isolate asks this often. */
  const EVERY_MS = 100

  /** Milliseconds after `change` until no isolate chose worker `a` any more, with all of them under steady traffic. */
  async function lastChoice(isolates: readonly Isolate[], change: () => Promise<unknown>): Promise<number> {
    const ask = async (times: number): Promise<number> => {
      let lastMs = 0
      for (let at = 0; at < times; at += 1) {
        for (const isolate of isolates) {
          if ((await isolate.chat()) === 'a.test') lastMs = at * EVERY_MS
          advance(EVERY_MS / isolates.length)
        }
      }
      return lastMs
    }
    await ask(30)
    await change()
    return ask(60)
  }
  const isolatesOf = () => Array.from({ length: ISOLATES }, () => createIsolate())

  test('a drain: within two seconds, at every isolate', async () => {
    const afterMs = await lastChoice(isolatesOf(), () => root().drain('a', Date.now() + 300_000))
    expect(afterMs).toBeGreaterThan(0)
    expect(afterMs).toBeLessThanOrEqual(2_000)
  })

  test('an open breaker: within two seconds', async () => {
    const afterMs = await lastChoice(isolatesOf(), () => tell({ faults: BREAKER.failureThreshold }))
    expect(afterMs).toBeGreaterThan(0)
    expect(afterMs).toBeLessThanOrEqual(2_000)
  })

  test('an isolate that was idle asks before it decides', async () => {
    const [isolate] = isolatesOf()
    for (let at = 0; at < 3; at += 1) await isolate?.chat()
    await root().drain('a', Date.now() + 300_000)
    advance(2_001)
    const served = []
    for (let at = 0; at < 6; at += 1) served.push(await isolate?.chat())
    expect(served).not.toContain('a.test')
  })

  test('one isolate that finds a worker dead tells the others at once, beside its own request', async () => {
    const [finder, ...others] = isolatesOf()
    for (const isolate of [finder, ...others]) await isolate?.chat()
    fake.down.add('a.test')
    for (let at = 0; at < 6; at += 1) await finder?.chat()
    const told = await root().sync(reportOf('x'))
    expect(stateOf(told, 'a')?.availability).toBe('suspect')
    advance(2_001)
    const before = fake.requests.length
    for (const isolate of others) await isolate.chat()
    expect(fake.requests.slice(before).filter((line) => line.startsWith('POST http://a.test'))).toEqual([])
  })
})

test('half open, one request is let through over all isolates, and it brings the worker back', async () => {
  const config = configOf('{type: round_robin}')
  const isolates = Array.from({ length: 4 }, () => createIsolate({ config }))
  for (const isolate of isolates) await isolate.chat()
  await tell({ faults: BREAKER.failureThreshold })
  advance(BREAKER.openMs)
  let atOnce = 0
  let most = 0
  let tried = 0
  fake.onRequest = async ({ method, url }) => {
    if (method !== 'POST' || !url.startsWith('http://a.test')) return
    tried += 1
    atOnce += 1
    most = Math.max(most, atOnce)
    await new Promise((resolve) => setTimeout(resolve, 5))
    atOnce -= 1
  }
  for (let round = 0; round < 40 && tried < BREAKER.successThreshold; round += 1) {
    advance(600)
    const answers = isolates.flatMap((isolate) =>
      [1, 2, 3].map(() => isolate.fetch('/v1/chat/completions', chatInit())),
    )
    for (const { response, beside } of await Promise.all(answers)) {
      expect(response.status).toBe(200)
      await response.arrayBuffer()
      await beside
    }
  }
  expect([tried, most]).toEqual([BREAKER.successThreshold, 1])
  expect(stateOf(await root().sync(reportOf('x')), 'a')).toMatchObject({
    availability: 'up',
    breaker: { state: 'closed' },
  })
})
