// What every FleetStore must hold: called in one line per implementation, on Node and inside workerd alike, so nothing
// here names a runtime. Time is the rig's.

import { describe, expect, test } from 'vitest'
import type { FleetSnapshot, FleetStore, HolderReport, WorkerState } from '../../src/store/fleet-store.ts'

/** How long a holder that says nothing is believed, by the contract. */
const LEASE_MS = 60_000

/** Longer than any copy of the fleet's state is passed on without asking for it anew. */
const COPY_MS = 501

/** A store over two workers, `a` and `b`, that are up and serve `m` and `n`. */
export interface FleetStoreRig {
  readonly store: FleetStore
  /** The same fleet as another process or isolate sees it. */
  readonly elsewhere: FleetStore
  now(): number
  advance(ms: number): void
  /** Lets the next round of probes run; every worker answers it. */
  probeAgain(): Promise<void>
}

function reportOf(holder: string, given: Partial<HolderReport> = {}): HolderReport {
  return { holder, inFlight: new Map(), unreachable: [], ticketsWanted: new Map(), ...given }
}

function stateOf(snapshot: FleetSnapshot, workerId: string): WorkerState | undefined {
  return snapshot.workers.find((worker) => worker.workerId === workerId)
}

const want = (count: number, key = 'm') => ({ ticketsWanted: new Map([[key, count]]) })

/** The turns of a block, one by one. */
function turnsIn(snapshot: FleetSnapshot, key = 'm'): number[] {
  const { first, count } = snapshot.tickets.get(key) ?? { first: 0, count: 0 }
  return Array.from({ length: count }, (_, at) => first + at)
}

/** Runs the suite. `makeStore` gives a fleet that nobody has used before. */
export function fleetStoreConformance(name: string, makeStore: () => Promise<FleetStoreRig>): void {
  describe(`fleet store: ${name}`, () => {
    registryCases(makeStore)
    leaseCases(makeStore)
    turnCases(makeStore)
    responseCases(makeStore)
  })
}

function registryCases(makeStore: () => Promise<FleetStoreRig>): void {
  test('the first sync knows every worker and what it serves', async () => {
    const { store, now } = await makeStore()
    const snapshot = await store.sync(reportOf('x'))
    expect(snapshot.takenAtMs).toBeLessThanOrEqual(now())
    for (const workerId of ['a', 'b']) {
      expect(stateOf(snapshot, workerId)).toMatchObject({ availability: 'up', models: ['m', 'n'] })
    }
  })

  test('a worker that was not reached is suspect for everybody until it is seen later', async () => {
    const { store, elsewhere, now, advance, probeAgain } = await makeStore()
    await store.sync(reportOf('x'))
    advance(1)
    const told = await store.sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: now() }] }))
    expect(stateOf(told, 'a')).toMatchObject({ availability: 'suspect', models: ['m', 'n'] })
    expect(stateOf(told, 'b')?.availability).toBe('up')
    advance(COPY_MS)
    expect(stateOf(await elsewhere.sync(reportOf('y')), 'a')?.availability).toBe('suspect')
    await probeAgain()
    advance(COPY_MS)
    expect(stateOf(await store.sync(reportOf('x')), 'a')?.availability).toBe('up')
    expect(stateOf(await elsewhere.sync(reportOf('y')), 'a')?.availability).toBe('up')
  })

  test('news of a failure that is older than the last look change nothing', async () => {
    const { store, now, advance, probeAgain } = await makeStore()
    await store.sync(reportOf('x'))
    const failedAtMs = now()
    advance(1)
    await store.sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: now() }] }))
    await probeAgain()
    advance(COPY_MS)
    const late = await store.sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: failedAtMs }] }))
    expect(stateOf(late, 'a')?.availability).toBe('up')
  })
}

function leaseCases(makeStore: () => Promise<FleetStoreRig>): void {
  test('the same report twice counts once', async () => {
    const { store } = await makeStore()
    await store.sync(reportOf('x', { inFlight: new Map([['a', 3]]) }))
    await store.sync(reportOf('x', { inFlight: new Map([['a', 3]]) }))
    expect((await store.sync(reportOf('y'))).inFlightElsewhere.get('a')).toBe(3)
  })

  test('a holder sees what others have in flight, and not its own', async () => {
    const { store } = await makeStore()
    const own = await store.sync(reportOf('x', { inFlight: new Map([['a', 3]]) }))
    expect(own.inFlightElsewhere.get('a') ?? 0).toBe(0)
    const other = await store.sync(reportOf('y', { inFlight: new Map([['a', 2]]) }))
    expect(other.inFlightElsewhere.get('a')).toBe(3)
    const again = await store.sync(reportOf('x', { inFlight: new Map([['a', 3]]) }))
    expect(again.inFlightElsewhere.get('a')).toBe(2)
  })

  test('what is in flight elsewhere is seen here, and what ended there is gone here', async () => {
    const { store, elsewhere, advance } = await makeStore()
    await store.sync(reportOf('x'))
    await elsewhere.sync(reportOf('y', { inFlight: new Map([['a', 4]]) }))
    advance(COPY_MS)
    expect((await store.sync(reportOf('x'))).inFlightElsewhere.get('a')).toBe(4)
    await elsewhere.sync(reportOf('y'))
    advance(COPY_MS)
    expect((await store.sync(reportOf('x'))).inFlightElsewhere.get('a') ?? 0).toBe(0)
  })

  test('a holder that says nothing for the lease time is dead, and its requests with it', async () => {
    const { store, elsewhere, advance } = await makeStore()
    await store.sync(reportOf('dead', { inFlight: new Map([['a', 5]]) }))
    await elsewhere.sync(reportOf('y'))
    advance(LEASE_MS - COPY_MS)
    await store.sync(reportOf('x', { inFlight: new Map([['a', 1]]) }))
    advance(COPY_MS)
    expect((await elsewhere.sync(reportOf('y'))).inFlightElsewhere.get('a')).toBe(6)
    advance(COPY_MS)
    expect((await store.sync(reportOf('x'))).inFlightElsewhere.get('a') ?? 0).toBe(0)
    expect((await elsewhere.sync(reportOf('y'))).inFlightElsewhere.get('a') ?? 0).toBe(0)
  })
}

function turnCases(makeStore: () => Promise<FleetStoreRig>): void {
  test('strict turns are consecutive from 0, whoever takes them and whatever is leased meanwhile, per key', async () => {
    const { store, elsewhere } = await makeStore()
    const turns = []
    for (let at = 0; at < 6; at += 1) {
      turns.push(await (at % 2 === 0 ? store : elsewhere).takeTicket('m'))
      await elsewhere.sync(reportOf('x', want(5)))
    }
    expect(turns).toEqual([0, 1, 2, 3, 4, 5])
    expect(await store.takeTicket('n')).toBe(0)
  })

  test('strict turns asked for all at once are each given once', async () => {
    const { store, elsewhere } = await makeStore()
    const asked = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? store : elsewhere).takeTicket('m'))
    expect((await Promise.all(asked)).sort((left, right) => left - right)).toEqual(asked.map((_, at) => at))
  })

  test('leased blocks never overlap', async () => {
    const { store, elsewhere, advance } = await makeStore()
    const turns: number[] = []
    for (let round = 0; round < 12; round += 1) {
      turns.push(...turnsIn(await store.sync(reportOf('x', want(3 + round)))))
      turns.push(...turnsIn(await store.sync(reportOf('y', want(70)))))
      turns.push(...turnsIn(await elsewhere.sync(reportOf('z', want(64)))))
      advance(round * 100)
    }
    expect(turns.length).toBeGreaterThan(12 * 64)
    expect(new Set(turns).size).toBe(turns.length)
  })

  test('keys are leased apart', async () => {
    const { store } = await makeStore()
    const ticketsWanted = new Map([
      ['m', 2],
      ['n', 3],
    ])
    const snapshot = await store.sync(reportOf('x', { ticketsWanted }))
    expect([turnsIn(snapshot), turnsIn(snapshot, 'n')]).toEqual([
      [0, 1],
      [0, 1, 2],
    ])
  })

  test('a name that no worker serves leases nothing and disturbs nothing', async () => {
    const { store } = await makeStore()
    const ticketsWanted = new Map([
      ['made-up', 64],
      ['m', 2],
    ])
    const snapshot = await store.sync(reportOf('x', { ticketsWanted }))
    expect([turnsIn(snapshot, 'made-up'), turnsIn(snapshot)]).toEqual([[], [0, 1]])
  })
}

function responseCases(makeStore: () => Promise<FleetStoreRig>): void {
  const owner = { workerId: 'a', tenant: null }

  test('a response that was never stored has no owner', async () => {
    const { store } = await makeStore()
    expect(await store.findResponse('resp_unknown')).toBeNull()
  })

  test('the owner of a stored response is found from anywhere until it expires', async () => {
    const { store, elsewhere, now, advance } = await makeStore()
    await store.rememberResponse('resp_1', owner, now() + 1_000)
    await store.rememberResponse('resp_2', { workerId: 'b', tenant: 'team' }, now() + 5_000)
    expect(await elsewhere.findResponse('resp_1')).toEqual(owner)
    expect(await elsewhere.findResponse('resp_2')).toEqual({ workerId: 'b', tenant: 'team' })
    advance(999)
    expect(await elsewhere.findResponse('resp_1')).toEqual(owner)
    advance(1)
    expect(await elsewhere.findResponse('resp_1')).toBeNull()
    expect(await elsewhere.findResponse('resp_2')).not.toBeNull()
  })

  test('a later word on a response replaces the earlier one', async () => {
    const { store, now } = await makeStore()
    await store.rememberResponse('resp_1', owner, now() + 1_000)
    await store.rememberResponse('resp_1', { workerId: 'b', tenant: 'team' }, now() + 1_000)
    expect(await store.findResponse('resp_1')).toEqual({ workerId: 'b', tenant: 'team' })
  })

  test('a forgotten response is gone at once, and forgetting an unknown one is no error', async () => {
    const { store, elsewhere, now } = await makeStore()
    await store.rememberResponse('resp_1', owner, now() + 1_000)
    await elsewhere.forgetResponse('resp_1')
    await elsewhere.forgetResponse('resp_1')
    expect(await store.findResponse('resp_1')).toBeNull()
  })

  test('many responses are kept apart', async () => {
    const { store, now } = await makeStore()
    const ids = Array.from({ length: 40 }, (_, at) => `resp_${at}_${'x'.repeat(at)}`)
    for (const [at, id] of ids.entries()) {
      await store.rememberResponse(id, { workerId: `w${at}`, tenant: null }, now() + 1_000)
    }
    for (const [at, id] of ids.entries()) expect((await store.findResponse(id))?.workerId).toBe(`w${at}`)
  })
}
