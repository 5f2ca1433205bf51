// What every FleetStore must hold: called in one line per implementation, on Node and inside workerd alike, so nothing
// here names a runtime. Time is the rig's.

import { describe, expect, test } from 'vitest'
import type { FleetSnapshot, FleetStore, HeldPermit, WorkerOutcomes, WorkerState } from '../../src/store/fleet-store.ts'
import { defaultBreaker, outcomesOf, reportOf } from '../support/fleet.ts'

const BREAKER = defaultBreaker()

/** How long a holder that says nothing is believed, by the contract. */
const LEASE_MS = 60_000

/** Longer than any copy of the fleet's state is passed on without asking for it anew. */
const COPY_MS = 501

/** Longer than any store waits until a drained worker with nothing in flight is parked. */
const SETTLE_MS = 10_000

/** A store over two workers, `a` and `b`, that are up and serve `m` and `n`, with breakers as by default. */
export interface FleetStoreRig {
  readonly store: FleetStore
  /** The same fleet as another process or isolate sees it. */
  readonly elsewhere: FleetStore
  now(): number
  advance(ms: number): void
  /** Lets the next round of probes run; every worker answers it. */
  probeAgain(): Promise<void>
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
    breakerCases(makeStore)
    drainCases(makeStore)
    leaseCases(makeStore)
    turnCases(makeStore)
    responseCases(makeStore)
    purgeCases(makeStore)
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

function breakerCases(makeStore: () => Promise<FleetStoreRig>): void {
  const batch = (sender: string, seq: number, ...workers: WorkerOutcomes[]) => ({ sender, seq, workers })
  const epochOf = (snapshot: FleetSnapshot) => stateOf(snapshot, 'a')?.epoch ?? 0

  /** A rig whose worker `a` has just had faults enough, half of them seen elsewhere. */
  async function broken(): Promise<FleetStoreRig> {
    const rig = await makeStore()
    const epoch = epochOf(await rig.store.sync(reportOf('x')))
    await rig.elsewhere.sync(reportOf('y'))
    const half = (holder: string, faults: number) => {
      const outcomes = batch(holder, 1, outcomesOf('a', { epoch, faults }))
      return reportOf(holder, { outcomes, isUrgent: true })
    }
    await rig.store.sync(half('x', BREAKER.failureThreshold - 3))
    await rig.elsewhere.sync(half('y', 3))
    return rig
  }

  test('faults in a row open a breaker for everybody, whoever met them; a report that comes twice counts once', async () => {
    const { store, elsewhere } = await makeStore()
    const epoch = epochOf(await store.sync(reportOf('x')))
    const outcomes = batch('x', 1, outcomesOf('a', { epoch, faults: BREAKER.failureThreshold - 1 }))
    for (let time = 0; time < 3; time += 1) {
      const told = await store.sync(reportOf('x', { outcomes, isUrgent: true }))
      expect(stateOf(told, 'a')?.availability).toBe('up')
    }
    await elsewhere.sync(
      reportOf('y', { outcomes: batch('y', 1, outcomesOf('a', { epoch, faults: 1 })), isUrgent: true }),
    )
    const seen = stateOf(await store.sync(reportOf('x', { isUrgent: true })), 'a')
    expect(seen).toMatchObject({ availability: 'open', reason: 'faults_in_row', breaker: { state: 'open' } })
    expect(stateOf(await elsewhere.sync(reportOf('y')), 'b')?.availability).toBe('up')
  })

  test('half open, one request at a time is let through over the whole fleet; successes close it', async () => {
    const { store, elsewhere, advance, probeAgain } = await broken()
    const urgent = { isUrgent: true, wantsPermits: true }
    expect((await store.sync(reportOf('x', urgent))).permits).toEqual([])
    advance(BREAKER.openMs)
    await probeAgain()
    const { permits, workers } = await store.sync(reportOf('x', urgent))
    expect(workers.find(({ workerId }) => workerId === 'a')?.availability).toBe('half_open')
    expect(permits).toMatchObject([{ workerId: 'a' }])
    const held: HeldPermit[] = permits.map((permit) => ({ ...permit, isInUse: true }))
    await store.sync(reportOf('x', { permits: held, isUrgent: true }))
    expect((await elsewhere.sync(reportOf('y', urgent))).permits).toEqual([])
    const epoch = epochOf(await store.sync(reportOf('x', { permits: held })))
    const outcomes = batch('x', 2, outcomesOf('a', { epoch, oks: BREAKER.successThreshold }))
    await store.sync(reportOf('x', { outcomes, isUrgent: true }))
    const back = stateOf(await elsewhere.sync(reportOf('y', { isUrgent: true })), 'a')
    expect(back).toMatchObject({ availability: 'up', reason: 'recovering', breaker: { state: 'closed' } })
    expect(back?.share).toBeLessThan(0.2)
  })

  test('pressure lowers the share of a worker for everybody, and takes it out for nobody', async () => {
    const { store, elsewhere } = await makeStore()
    const epoch = epochOf(await store.sync(reportOf('x')))
    const outcomes = batch('x', 1, outcomesOf('a', { epoch, busies: 9, busyForMs: 5_000 }))
    await store.sync(reportOf('x', { outcomes, isUrgent: true }))
    const seen = stateOf(await elsewhere.sync(reportOf('y', { isUrgent: true })), 'a')
    expect(seen).toMatchObject({ availability: 'up', reason: 'busy', share: 0.5 })
    expect(seen?.busyUntilMs).not.toBeNull()
  })
}

function drainCases(makeStore: () => Promise<FleetStoreRig>): void {
  test('a drained worker is out for everybody, and parked once its last request has ended', async () => {
    const { store, elsewhere, now, advance } = await makeStore()
    await store.sync(reportOf('x', { inFlight: new Map([['a', 2]]), isUrgent: true }))
    await elsewhere.sync(reportOf('y'))
    await elsewhere.drain('a', now() + 300_000)
    advance(COPY_MS)
    const seen = stateOf(await store.sync(reportOf('x', { inFlight: new Map([['a', 2]]) })), 'a')
    expect(seen).toMatchObject({ availability: 'draining', drain: { state: 'draining', inFlight: 2 } })
    advance(SETTLE_MS)
    const running = await store.sync(reportOf('x', { inFlight: new Map([['a', 1]]), isUrgent: true }))
    expect(stateOf(running, 'a')?.drain).toMatchObject({ state: 'draining', inFlight: 1 })
    const ended = await store.sync(reportOf('x', { isUrgent: true }))
    expect(stateOf(ended, 'a')).toMatchObject({ availability: 'parked', drain: { state: 'parked', leftRunning: null } })
    await store.undrain('a')
    const back = await elsewhere.sync(reportOf('y', { isUrgent: true }))
    expect(stateOf(back, 'a')).toMatchObject({ availability: 'up', drain: null })
  })

  test('a drain ends at its deadline, with what it left running', async () => {
    const { store, now, advance } = await makeStore()
    const running = reportOf('x', { inFlight: new Map([['a', 3]]), isUrgent: true })
    await store.sync(running)
    await store.drain('a', now() + 1_000)
    advance(1_000)
    expect(stateOf(await store.sync(running), 'a')?.drain).toMatchObject({ state: 'parked', leftRunning: 3 })
  })

  test('undraining a worker that was not drained, or that nobody knows, does nothing', async () => {
    const { store, now } = await makeStore()
    await store.undrain('a')
    await store.drain('nobody', now() + 1_000)
    await store.undrain('nobody')
    const { workers } = await store.sync(reportOf('x', { isUrgent: true }))
    expect(new Set(workers.map(({ availability }) => availability))).toEqual(new Set(['up']))
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
    for (const tenant of [null, 'team']) {
      await store.rememberResponse(`resp_${tenant}`, { workerId: 'a', tenant }, now() + 1_000)
      await store.rememberResponse(`resp_${tenant}`, { workerId: 'b', tenant }, now() + 1_000)
      expect(await store.findResponse(`resp_${tenant}`)).toEqual({ workerId: 'b', tenant })
    }
  })

  test('but not from another tenant, until it has expired', async () => {
    const { store, now, advance } = await makeStore()
    const owners = ['team', 'other', null].map((tenant) => ({ workerId: `of-${tenant}`, tenant }))
    for (const first of owners) {
      const id = `resp_${first.tenant}`
      for (const later of [first, ...owners]) await store.rememberResponse(id, later, now() + 1_000)
      expect(await store.findResponse(id)).toEqual(first)
    }
    advance(1_000)
    await store.rememberResponse('resp_team', { workerId: 'b', tenant: 'other' }, now() + 1_000)
    expect(await store.findResponse('resp_team')).toEqual({ workerId: 'b', tenant: 'other' })
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

function purgeCases(makeStore: () => Promise<FleetStoreRig>): void {
  test('a purge of cached answers is heard of everywhere, with the next state of the fleet', async () => {
    const { store, elsewhere, advance } = await makeStore()
    const before = (await store.sync(reportOf('x'))).purges
    expect(before).toMatchObject({ count: 0, latest: [] })
    await elsewhere.announcePurge({ kind: 'model', name: 'm' })
    advance(COPY_MS)
    await elsewhere.announcePurge({ kind: 'all' })
    advance(COPY_MS)
    for (const [place, holder] of [[store, 'x'] as const, [elsewhere, 'y'] as const]) {
      expect((await place.sync(reportOf(holder))).purges).toEqual({
        log: before?.log,
        count: 2,
        latest: [{ kind: 'model', name: 'm' }, { kind: 'all' }],
      })
    }
  })
}
