// The `Fleet` objects through their lives: alarms, eviction, restarts. Cloudflare's rules for objects, one test each.

import { evictAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test, vi } from 'vitest'
import { reportOf } from '../support/fleet.ts'
import type { RouterEnv } from '../../src/runtime/cloudflare-env.ts'
import { advance, configOf, fake, fleetObject, POOL, probes, root, useFleet } from './rig.ts'

useFleet()

const replica = (index: number) => fleetObject(`${POOL}/replica/${index}`)

const alarmInMs = async (): Promise<number | null> => {
  const atMs = await runInDurableObject(root(), (_, state) => state.storage.getAlarm())
  return atMs === null ? null : atMs - Date.now()
}

describe('the alarm', () => {
  test('asks every worker, and sets itself again with a tenth of jitter', async () => {
    await root().sync(reportOf('x'))
    expect(probes()).toBe(3)
    expect(await alarmInMs()).toBe(200)
    for (const [passedMs, asked] of [
      [200, 3],
      [5_500, 6],
      [5_500, 9],
    ] as const) {
      advance(passedMs)
      expect(await runDurableObjectAlarm(root())).toBe(true)
      expect(probes()).toBe(asked)
      const nextMs = await alarmInMs()
      expect(nextMs).toBeGreaterThanOrEqual(4_500)
      expect(nextMs).toBeLessThanOrEqual(5_500)
    }
  })

  test('comes back within about a second while a worker is missing', async () => {
    fake.down.add('b.test')
    await root().sync(reportOf('x'))
    await runDurableObjectAlarm(root())
    expect(await alarmInMs()).toBeLessThanOrEqual(1_100)
  })

  test('does no harm when it runs twice', async () => {
    await root().sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    await runInDurableObject(root(), (object) => Promise.all([object.alarm(), object.alarm()]))
    await runInDurableObject(root(), (object) => object.alarm())
    const { workers, inFlightElsewhere } = await root().sync(reportOf('y'))
    expect(workers.map(({ workerId, availability }) => `${workerId} ${availability}`).sort()).toEqual([
      'a up',
      'b up',
      'c up',
    ])
    expect(inFlightElsewhere).toEqual(new Map([['a', 2]]))
    expect(await runDurableObjectAlarm(root())).toBe(true)
    expect(await alarmInMs()).toBeGreaterThan(0)
  })

  test('stops when nobody has routed for a minute, and starts again with the next sync', async () => {
    await root().sync(reportOf('x'))
    advance(60_001)
    await runDurableObjectAlarm(root())
    expect(await alarmInMs()).toBeNull()
    await root().sync(reportOf('x'))
    expect(await alarmInMs()).toBe(200)
  })

  test('that got lost is set again by whoever comes by', async () => {
    await root().sync(reportOf('x'))
    await runInDurableObject(root(), (_, state) => state.storage.deleteAlarm())
    advance(30_000)
    await root().sync(reportOf('x'))
    advance(30_201)
    await root().sync(reportOf('x'))
    expect(await alarmInMs()).toBe(200)
  })

  test('looks again soon at a worker that was not reached, and no later for more of such news', async () => {
    await root().sync(reportOf('x'))
    await runDurableObjectAlarm(root())
    for (const expectedMs of [200, 150, 100]) {
      await root().sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: Date.now() }] }))
      expect(await alarmInMs()).toBe(expectedMs)
      advance(50)
    }
  })

  test('does not forget news that came while it was asking the workers', async () => {
    await root().sync(reportOf('x'))
    let isTold = false
    fake.onRequest = async () => {
      if (isTold) return
      isTold = true
      advance(10)
      await root().sync(reportOf('x', { unreachable: [{ workerId: 'c', atMs: Date.now() }] }))
    }
    advance(5_500)
    await runDurableObjectAlarm(root())
    expect(isTold).toBe(true)
    expect(await alarmInMs()).toBeLessThanOrEqual(220)
  })

  test('that starts an evicted object finds it to be the root still (workerd#6850)', async () => {
    // The real clock, as only a real alarm starts an object by itself.
    vi.mocked(Date.now).mockRestore()
    await root().sync(reportOf('x'))
    await evictDurableObject(root())
    await vi.waitFor(() => expect(probes()).toBeGreaterThanOrEqual(6), { timeout: 5_000, interval: 20 })
    expect((await root().sync(reportOf('x'))).workers).toHaveLength(3)
  })
})

describe('one prober a pool', () => {
  test('any number of isolates over any number of replicas cost one round of probes', async () => {
    const syncs = Array.from({ length: 24 }, (_, at) => replica(at % 4).sync(reportOf(`isolate-${at}`)))
    await Promise.all(syncs)
    expect(probes()).toBe(3)
  })

  test('replicas never set an alarm', async () => {
    await replica(0).sync(reportOf('x'))
    expect(await runInDurableObject(replica(0), (_, state) => state.storage.getAlarm())).toBeNull()
  })
})

test('a replica creates the root where the configuration says', async () => {
  const hints: unknown[] = []
  await runInDurableObject(replica(0), async (object) => {
    const { FLEET, ...rest } = Reflect.get(object, 'env') as RouterEnv
    const namespace = {
      idFromName: (name: string) => FLEET.idFromName(name),
      get(id: DurableObjectId, options?: DurableObjectNamespaceGetDurableObjectOptions) {
        hints.push(options?.locationHint)
        return FLEET.get(id, options)
      },
    }
    Reflect.set(object, 'env', {
      ...rest,
      FLEET: namespace,
      ROUTER_CONFIG: configOf('{type: random}', 'fleet: {location_hint: weur}'),
    })
    await object.sync(reportOf('x'))
  })
  expect(hints).toEqual(['weur'])
})

describe('an object that comes back', () => {
  test('the root knows the workers without asking them', async () => {
    const before = await root().sync(reportOf('x'))
    await evictDurableObject(root())
    const after = await root().sync(reportOf('x'))
    expect(after.workers).toEqual(before.workers)
    expect(probes()).toBe(3)
    expect(await alarmInMs()).not.toBeNull()
  })

  test('the root hears again of what is in flight with the next syncs', async () => {
    await replica(0).sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    await replica(1).sync(reportOf('y', { inFlight: new Map([['b', 1]]) }))
    await evictDurableObject(root())
    advance(501)
    await replica(0).sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    const seen = await replica(1).sync(reportOf('y', { inFlight: new Map([['b', 1]]) }))
    expect(seen.inFlightElsewhere).toEqual(new Map([['a', 2]]))
  })

  test('a replica knows everything after one sync', async () => {
    await replica(1).sync(reportOf('y', { inFlight: new Map([['b', 1]]) }))
    await replica(0).sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    await evictDurableObject(replica(0))
    const seen = await replica(0).sync(reportOf('z'))
    expect(seen.workers).toHaveLength(3)
    expect(seen.inFlightElsewhere).toEqual(new Map([['b', 1]]))
    expect((await replica(0).sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))).inFlightElsewhere).toEqual(
      new Map([['b', 1]]),
    )
    expect((await replica(0).sync(reportOf('z'))).inFlightElsewhere).toEqual(
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    )
  })

  test('strict turns go on where they were, evicted between any two', async () => {
    const turns = []
    for (let at = 0; at < 5; at += 1) {
      turns.push(await root().takeTicket('m'))
      await evictDurableObject(root())
    }
    expect(turns).toEqual([0, 1, 2, 3, 4])
    expect(await root().takeTicket('n')).toBe(0)
  })

  test('blocks leased before and after never overlap', async () => {
    const wanted = { ticketsWanted: new Map([['m', 10]]) }
    const blocks = [await root().sync(reportOf('x', wanted))]
    await evictDurableObject(root())
    blocks.push(await root().sync(reportOf('y', wanted)))
    expect(blocks.map(({ tickets }) => tickets.get('m'))).toEqual([
      { first: 0, count: 10 },
      { first: 10, count: 10 },
    ])
  })

  test('stored responses are found, and forgotten ones stay forgotten', async () => {
    const shard = fleetObject(`${POOL}/responses/3`)
    await shard.rememberResponse('resp_1', { workerId: 'a', tenant: 'team' }, Date.now() + 5_000)
    await shard.rememberResponse('resp_2', { workerId: 'b', tenant: null }, Date.now() + 5_000)
    await shard.forgetResponse('resp_2')
    await evictAllDurableObjects()
    expect(await shard.findResponse('resp_1')).toEqual({ workerId: 'a', tenant: 'team' })
    expect(await shard.findResponse('resp_2')).toBeNull()
  })
})

test('responses that have expired leave the storage with the next one stored', async () => {
  const shard = fleetObject(`${POOL}/responses/3`)
  for (const id of ['resp_1', 'resp_2'])
    await shard.rememberResponse(id, { workerId: 'a', tenant: null }, Date.now() + 1_000)
  advance(1_001)
  await shard.rememberResponse('resp_3', { workerId: 'a', tenant: null }, Date.now() + 1_000)
  const plan = await runInDurableObject(shard, (_, { storage }) => ({
    ids: storage.sql
      .exec<{ id: string }>('SELECT id FROM responses')
      .toArray()
      .map(({ id }) => id),
    // Rows read are paid for, so finding the expired ones must not read the others.
    expiry: storage.sql.exec<{ detail: string }>('EXPLAIN QUERY PLAN DELETE FROM responses WHERE expires_at < 5').one()
      .detail,
  }))
  expect(plan.ids).toEqual(['resp_3'])
  expect(plan.expiry).toContain('USING INDEX')
})
