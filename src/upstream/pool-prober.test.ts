// A large pool in slices: who asks whom, what one slow or broken slice does to the others, and what a reload drops.

import { Secret } from '../secret.ts'
import { expect, test } from 'vitest'
import type { WorkerConfig } from '../config/config.ts'
import { VirtualClock } from '../simulator/clock.ts'
import { createPoolProber, createSliceProber, type SliceOrder } from './pool-prober.ts'
import type { ProbeTargets } from './probe.ts'

const HEALTH = { intervalMs: 5_000, timeoutMs: 1_000, successThreshold: 2, endpoint: '/health' }

function workersNamed(count: number): WorkerConfig[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `w${at}`,
    isNamed: true,
    url: `http://w${at}.test`,
    models: null,
    weight: 1,
    labels: {},
    apiKey: new Secret('worker-key'),
    binding: null,
    dataParallelSize: 1,
  }))
}

/** Lets what is ready happen; nothing here waits for the clock of the wall. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when `signal` fires, and says so at that very moment. */
async function aborted(signal: AbortSignal, onAbort: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const leave = () => {
      onAbort()
      resolve()
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
}

/** Who asks a slice: connections of its own, and a switch to be slow or broken. */
interface Asker {
  readonly orders: SliceOrder[]
  mostConnections: number
  isBroken: boolean
  isSlow: boolean
}

function rigOf(count: number) {
  const clock = new VirtualClock(1_000_000)
  const askers: Asker[] = []
  const failed: number[] = []
  /** Workers that accept connections and answer nothing. */
  const hanging = new Set<string>()
  const sent: string[] = []
  const rig = {
    clock,
    askers,
    failed,
    hanging,
    sent,
    targets: { workers: workersNamed(count), health: HEALTH, modelRefreshMs: 30_000 } as ProbeTargets,
  }
  /** Workers that all are well, seen from one place with connections of its own. */
  function platformOf(asker: Asker) {
    let connections = 0
    return {
      now: () => clock.now(),
      random: () => 0.5,
      after: (ms: number, task: () => void) => clock.after(ms, task),
      binding: () => null,
      async send(url: string, { signal }: { readonly signal: AbortSignal }) {
        sent.push(url)
        connections += 1
        asker.mostConnections = Math.max(asker.mostConnections, connections)
        const isHanging = hanging.has(new URL(url).hostname.slice(0, -'.test'.length))
        await (isHanging ? aborted(signal, () => (connections -= 1)) : new Promise((resolve) => setImmediate(resolve)))
        signal.throwIfAborted()
        connections -= 1
        if (url.endsWith('/v1/models')) return Response.json({ data: [{ id: 'm' }] })
        return new Response('', { status: url.endsWith('/health') ? 200 : 404 })
      },
    }
  }
  function askerAt(at: number) {
    const asker: Asker = (askers[at] ??= { orders: [], mostConnections: 0, isBroken: false, isSlow: false })
    const own = createSliceProber(platformOf(asker))
    return {
      async probeSlice(order: SliceOrder) {
        asker.orders.push(order)
        if (asker.isBroken) throw new Error('no such object')
        if (asker.isSlow) await new Promise<void>((resolve) => clock.after(20_000, resolve))
        return own.probeSlice(order)
      },
    }
  }
  const here: Asker = { orders: [], mostConnections: 0, isBroken: false, isSlow: false }
  askers.push(here)
  const prober = createPoolProber({
    platform: platformOf(here),
    targets: () => rig.targets,
    sliceProber: askerAt,
    onSliceFailed: (slice) => failed.push(slice),
  })
  return { ...rig, rig, prober }
}

const idsOf = (observations: readonly { readonly workerId: string }[]) => observations.map(({ workerId }) => workerId)

test('nobody asks more than sixteen workers, nor over more than six connections', async () => {
  const { prober, askers, rig } = rigOf(40)
  const observations = await prober.round()
  expect(idsOf(observations).sort()).toEqual(rig.targets.workers.map(({ id }) => id).sort())
  expect(askers.slice(1).map(({ orders }) => orders.map(({ targets }) => targets.workers.length))).toEqual([[16], [8]])
  expect(askers.map(({ mostConnections }) => mostConnections)).toEqual([6, 6, 6])
})

test('one that hangs holds up no news of the others, takes no second connection, and is told of later', async () => {
  const { prober, hanging, clock, sent, rig } = rigOf(16)
  rig.targets = { ...rig.targets, health: { ...HEALTH, timeoutMs: 30_000 } }
  hanging.add('w1')
  const round = prober.round()
  await settle()
  clock.advance(2_500)
  expect(idsOf(await round)).toEqual(rig.targets.workers.map(({ id }) => id).filter((id) => id !== 'w1'))
  for (let passed = 0; passed < 27; passed += 1) {
    expect(prober.nextRoundMs()).toBe(1_000)
    clock.advance(1_000)
    expect(idsOf(await prober.round())).not.toContain('w1')
  }
  expect(sent.filter((url) => url.startsWith('http://w1.'))).toHaveLength(1)
  clock.advance(1_000)
  await settle()
  expect(await prober.round()).toMatchObject([{ workerId: 'w1', health: 'timeout' }])
})

test('however many hang, no more than six connections wait for them', async () => {
  const { prober, hanging, clock, askers } = rigOf(16)
  for (let at = 0; at < 10; at += 1) hanging.add(`w${at}`)
  const seen = new Set<string>()
  for (let passed = 0; passed < 12; passed += 1) {
    const round = prober.round()
    await settle()
    clock.advance(500)
    await settle()
    clock.advance(2_000)
    for (const id of idsOf(await round)) seen.add(id)
  }
  expect(seen.size).toBe(16)
  expect(askers[0]?.mostConnections).toBe(6)
})

test('a small pool is asked here', async () => {
  const { prober, askers } = rigOf(16)
  expect(await prober.round()).toHaveLength(16)
  expect(askers).toHaveLength(1)
})

test('those in doubt are asked by whoever has their slice, due or not', async () => {
  const { prober, askers } = rigOf(40)
  await prober.round()
  expect(idsOf(await prober.round(new Set(['w3', 'w20', 'gone'])))).toEqual(['w3', 'w20'])
  expect(askers.slice(1).map(({ orders }) => orders.at(-1)?.doubted)).toEqual([new Set(['w20']), new Set()])
})

test('the next round comes when the most eager slice wants it', async () => {
  const { prober, askers } = rigOf(40)
  await prober.round()
  expect(prober.nextRoundMs()).toBe(5_000)
  const broken = askers[2]
  if (broken !== undefined) broken.isBroken = true
  await prober.round()
  expect(prober.nextRoundMs()).toBe(1_000)
})

test('a slice that nobody could ask is told of, and the others are observed', async () => {
  const { prober, askers, failed, clock } = rigOf(40)
  await prober.round()
  const broken = askers[1]
  if (broken !== undefined) broken.isBroken = true
  clock.advance(5_000)
  expect(idsOf(await prober.round())).toHaveLength(24)
  expect(failed).toEqual([1])
})

test('a slice that is slow holds up nobody, is not asked again meanwhile, and comes with a later round', async () => {
  const { prober, askers, clock } = rigOf(40)
  await prober.round()
  const slow = askers[2]
  if (slow !== undefined) slow.isSlow = true
  clock.advance(5_000)
  const round = prober.round()
  await settle()
  clock.advance(6_000)
  expect(idsOf(await round)).toHaveLength(32)
  clock.advance(5_000)
  expect(idsOf(await prober.round())).toHaveLength(32)
  expect(slow?.orders).toHaveLength(2)
  clock.advance(10_000)
  await settle()
  if (slow !== undefined) slow.isSlow = false
  expect(idsOf(await prober.round())).toEqual(expect.arrayContaining(['w32', 'w39']))
})

test('what was learned of a worker that has moved or left meanwhile is dropped, however late it comes', async () => {
  const { prober, rig, askers, clock } = rigOf(40)
  const slow = { orders: [], mostConnections: 0, isBroken: false, isSlow: true }
  askers[2] = slow
  const round = prober.round()
  await settle()
  clock.advance(6_000)
  expect(await round).toHaveLength(32)
  clock.advance(14_000)
  await settle()
  slow.isSlow = false
  rig.targets = {
    ...rig.targets,
    workers: rig.targets.workers
      .slice(0, 39)
      .map((worker) => (worker.id === 'w33' ? { ...worker, url: 'http://new.test' } : worker)),
  }
  const seen = await prober.round()
  const late = seen.filter(({ workerId }) => workerId === 'w33')
  // Asked anew at its new address, once, and the old word is not among the answers.
  expect(late).toHaveLength(1)
  expect(late[0]?.atMs).toBe(clock.now())
  expect(idsOf(seen)).not.toContain('w39')
})

test('a pool without workers waits', async () => {
  const { prober } = rigOf(0)
  expect(await prober.round()).toEqual([])
  expect(prober.nextRoundMs()).toBe(5_000)
})
