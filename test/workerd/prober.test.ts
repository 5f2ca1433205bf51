// A pool too large for one object: its workers are asked by slices, each by an object of its own, and known as one fleet.

import { evictAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { FleetObject } from '../../src/runtime/cloudflare-fleet.ts'
import type { SliceOrder } from '../../src/upstream/pool-prober.ts'
import { reportOf } from '../support/fleet.ts'
import { advance, fake, fleetObject, POOL, root, useFleet } from './rig.ts'

useFleet()

const WORKERS = Array.from({ length: 40 }, (_, at) => `w${at}`)
const CONFIG = `
allow_anonymous: true
workers:
${WORKERS.map((id) => `  - {id: ${id}, url: "http://${id}.test", api_key: "key-of-${id}"}`).join('\n')}
`

/** What objects were asked to ask, by object. */
const orders = new Map<string, SliceOrder[]>()
let connections = 0
let mostConnections = 0

beforeEach(async () => {
  orders.clear()
  connections = 0
  mostConnections = 0
  const { probeSlice } = FleetObject.prototype
  vi.spyOn(FleetObject.prototype, 'probeSlice').mockImplementation(function noted(this: FleetObject, order) {
    const name = (Reflect.get(this, 'ctx') as DurableObjectState).id.name ?? ''
    orders.set(name, [...(orders.get(name) ?? []), order])
    return probeSlice.call(this, order)
  })
  fake.onRequest = async () => {
    connections += 1
    mostConnections = Math.max(mostConnections, connections)
    await new Promise((resolve) => setTimeout(resolve, 1))
    connections -= 1
  }
  await configureRoot()
})

/** The root alone knows the pool: whoever asks a slice is told. */
async function configureRoot(): Promise<void> {
  await runInDurableObject(root(), (object) => {
    Reflect.set(object, 'env', { ...Reflect.get(object, 'env'), ROUTER_CONFIG: CONFIG })
  })
}

const hostsAsked = () => fake.requests.filter((line) => line.endsWith('/health')).map((line) => line.slice(11, -12))

describe('forty workers', () => {
  test('are asked by three objects, none of more than sixteen, and known to the first sync', async () => {
    const { workers } = await root().sync(reportOf('x'))
    expect(workers.map(({ workerId, availability }) => `${workerId} ${availability}`).sort()).toEqual(
      WORKERS.map((id) => `${id} up`).sort(),
    )
    expect(hostsAsked().sort()).toEqual(WORKERS.toSorted())
    expect([...orders].map(([name, given]) => [name, given.map(({ targets }) => targets.workers.length)])).toEqual([
      [`${POOL}/prober/1`, [16]],
      [`${POOL}/prober/2`, [8]],
    ])
    expect(mostConnections).toBeGreaterThan(6)
    expect(mostConnections).toBeLessThanOrEqual(18)
  })

  test('are asked once a round, though the alarm runs twice', async () => {
    await root().sync(reportOf('x'))
    advance(5_500)
    await runInDurableObject(root(), (object) => Promise.all([object.alarm(), object.alarm()]))
    expect(hostsAsked()).toHaveLength(80)
  })

  test('a dead one is found by whoever has its slice, and looked at again within a second', async () => {
    await root().sync(reportOf('x'))
    fake.down.add('w20.test')
    advance(5_500)
    for (let round = 0; round < 3; round += 1) {
      await runDurableObjectAlarm(root())
      const atMs = await runInDurableObject(root(), (_, state) => state.storage.getAlarm())
      expect((atMs ?? 0) - Date.now()).toBeLessThanOrEqual(1_100)
      advance(1_100)
    }
    const { workers } = await root().sync(reportOf('x'))
    expect(workers.filter(({ availability }) => availability !== 'up')).toMatchObject([
      { workerId: 'w20', availability: 'down' },
    ])
  })

  test('objects that come back go on, and nobody asks twice', async () => {
    await root().sync(reportOf('x'))
    await evictDurableObject(fleetObject(`${POOL}/prober/1`))
    advance(5_500)
    await runDurableObjectAlarm(root())
    expect(hostsAsked()).toHaveLength(80)
    await evictAllDurableObjects()
    await configureRoot()
    const { workers } = await root().sync(reportOf('x'))
    expect(workers.filter(({ availability }) => availability === 'up')).toHaveLength(40)
    // The root's own life is over, so each worker is asked once more; no object of a slice went on by itself.
    advance(200)
    await runDurableObjectAlarm(root())
    expect(hostsAsked()).toHaveLength(120)
    for (const slice of [1, 2]) {
      const alarm = await runInDurableObject(fleetObject(`${POOL}/prober/${slice}`), (_, state) =>
        state.storage.getAlarm(),
      )
      expect(alarm).toBeNull()
    }
  })

  test('an object that can not be reached leaves the others observed', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    vi.mocked(FleetObject.prototype.probeSlice).mockRejectedValue(new Error('Durable Object is overloaded'))
    const { workers } = await root().sync(reportOf('x'))
    expect(workers.filter(({ availability }) => availability === 'up')).toHaveLength(16)
    expect(workers.filter(({ availability }) => availability === 'unknown')).toHaveLength(24)
  })
})
