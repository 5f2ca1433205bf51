// What members of a pool agree on, as plain memory: order of observations, sums of leases, turns, and two levels of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FleetState, LEASE_TTL_MS } from './fleet-state.ts'
import type { HolderReport, WorkerState } from './fleet-store.ts'

function reportOf(holder: string, given: Partial<HolderReport> = {}): HolderReport {
  return { holder, inFlight: new Map(), unreachable: [], ticketsWanted: new Map(), ...given }
}

const askerOf = (holder: string) => ({ holder, ticketsWanted: new Map<string, number>() })

/** A root that knows worker `a` to serve `m`, since time 0. */
function rootWithModel(): FleetState {
  const state = new FleetState({ issuesTickets: true })
  state.observe([{ workerId: 'a', reachable: true, models: ['m'], atMs: 0 }])
  return state
}

function workerOf(state: FleetState, workerId = 'a'): WorkerState | undefined {
  return state.workers().find((worker) => worker.workerId === workerId)
}

describe('observations', () => {
  test('an older one never overrules a newer one', () => {
    const state = rootWithModel()
    state.observe([{ workerId: 'a', reachable: false, models: null, atMs: 20 }])
    state.observe([{ workerId: 'a', reachable: true, models: ['old'], atMs: 10 }])
    expect(workerOf(state)).toEqual({ workerId: 'a', availability: 'down', models: ['m'], checkedAtMs: 20 })
  })

  test('one without models keeps those known, an empty list replaces them', () => {
    const state = rootWithModel()
    state.observe([{ workerId: 'a', reachable: true, models: null, atMs: 1 }])
    expect(workerOf(state)?.models).toEqual(['m'])
    state.observe([{ workerId: 'a', reachable: true, models: [], atMs: 2 }])
    expect(workerOf(state)?.models).toEqual([])
  })

  test('a report that came late does not take down a worker that was seen since', () => {
    const state = rootWithModel()
    state.observe([{ workerId: 'a', reachable: true, models: ['m'], atMs: 50 }])
    state.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 40 }] }), 60)
    expect(workerOf(state)?.availability).toBe('up')
    state.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 55 }] }), 60)
    expect(workerOf(state)?.availability).toBe('suspect')
  })
})

describe('in flight', () => {
  test('sums over the other holders; the last report of each counts', () => {
    const state = rootWithModel()
    state.note(reportOf('x', { inFlight: new Map([['a', 9]]) }), 0)
    state.note(reportOf('x', { inFlight: new Map([['a', 2]]) }), 1)
    state.note(
      reportOf('y', {
        inFlight: new Map([
          ['a', 3],
          ['b', 1],
        ]),
      }),
      2,
    )
    expect(state.snapshotFor(askerOf('x'), 3).inFlightElsewhere).toEqual(
      new Map([
        ['a', 3],
        ['b', 1],
      ]),
    )
    expect(state.snapshotFor(askerOf('y'), 3).inFlightElsewhere).toEqual(new Map([['a', 2]]))
    expect(state.snapshotFor(askerOf('new'), 3).inFlightElsewhere).toEqual(
      new Map([
        ['a', 5],
        ['b', 1],
      ]),
    )
  })

  test('a holder that has not reported for the lease time is forgotten at the next report of anybody', () => {
    const state = rootWithModel()
    state.note(reportOf('dead', { inFlight: new Map([['a', 7]]) }), 0)
    state.note(reportOf('x'), LEASE_TTL_MS)
    expect(state.snapshotFor(askerOf('x'), LEASE_TTL_MS).inFlightElsewhere.get('a')).toBe(7)
    state.note(reportOf('x'), LEASE_TTL_MS + 1)
    expect(state.snapshotFor(askerOf('x'), LEASE_TTL_MS + 1).inFlightElsewhere.get('a')).toBeUndefined()
  })

  test('property: every request is counted once for everybody else, over two levels', () => {
    const reports = fc.array(fc.record({ holder: fc.nat(5), count: fc.nat(9) }), { maxLength: 30 })
    fc.assert(
      fc.property(reports, (steps) => {
        const root = rootWithModel()
        const replicas = [0, 1].map(() => new FleetState({ issuesTickets: false }))
        const last = new Map<number, number>()
        for (const { holder, count } of steps) {
          last.set(holder, count)
          const inFlight = new Map(count === 0 ? [] : [['a', count]])
          replicas[holder % 2]?.note(reportOf(`h${holder}`, { inFlight }), 0)
        }
        // Twice, so that each replica has heard of what the other said.
        for (const at of [0, 1, 0, 1]) {
          const report = replicas[at]?.aggregate(`replica-${at}`, new Map(), 0) ?? reportOf('none')
          root.note(report, 0)
          replicas[at]?.adopt(root.snapshotFor(report, 0))
        }
        const total = [...last.values()].reduce((sum, count) => sum + count, 0)
        for (const [holder, own] of last) {
          const seen = replicas[holder % 2]?.snapshotFor(askerOf(`h${holder}`), 0).inFlightElsewhere.get('a') ?? 0
          expect(seen).toBe(total - own)
        }
      }),
    )
  })
})

describe('turns', () => {
  const want = (state: FleetState, count: number, key = 'm') =>
    state.snapshotFor({ holder: 'x', ticketsWanted: new Map([[key, count]]) }, 0).tickets.get(key)

  test('blocks come from one count per key', () => {
    const state = new FleetState({ issuesTickets: true })
    state.observe([{ workerId: 'a', reachable: true, models: ['m', 'n'], atMs: 0 }])
    expect(want(state, 3)).toEqual({ first: 0, count: 3 })
    expect(want(state, 2.5)).toEqual({ first: 3, count: 3 })
    expect(want(state, 1, 'n')).toEqual({ first: 0, count: 1 })
  })

  test('strict turns leave no hole where blocks were leased in between', () => {
    const state = rootWithModel()
    const turns = Array.from({ length: 5 }, (_, at) => {
      want(state, 7 * at)
      return state.takeTicket('m')
    })
    expect(turns).toEqual([0, 1, 2, 3, 4])
  })

  test('no block is longer than 65,536, and none has a negative length', () => {
    const state = rootWithModel()
    expect(want(state, 1e9)?.count).toBe(65_536)
    expect(want(state, -5)?.count).toBe(0)
  })

  test('a name that no worker serves leases nothing, so that callers cannot fill memory with names', () => {
    const state = rootWithModel()
    expect(want(state, 64, 'made-up')).toBeUndefined()
    expect(want(state, 64, '')?.count).toBe(64)
  })

  test('a state below hands on what it leased, and no more', () => {
    const replica = new FleetState({ issuesTickets: false })
    expect(want(replica, 4)?.count ?? 0).toBe(0)
    replica.adopt({
      takenAtMs: 0,
      workers: [],
      inFlightElsewhere: new Map(),
      tickets: new Map([['m', { first: 100, count: 6 }]]),
    })
    expect(want(replica, 4)).toEqual({ first: 100, count: 4 })
    expect(replica.ticketsLeft('m')).toBe(2)
    expect(want(replica, 4)).toEqual({ first: 104, count: 2 })
    expect(want(replica, 4)?.count ?? 0).toBe(0)
  })

  test('a count goes on where it stood before', () => {
    const state = rootWithModel()
    state.resumeTurn('strict', 'm', 41)
    state.resumeTurn('leased', 'm', 300)
    expect(state.takeTicket('m')).toBe(41)
    expect(want(state, 10)?.first).toBe(300)
    expect([state.nextTurn('strict', 'm'), state.nextTurn('leased', 'm'), state.nextTurn('strict', 'n')]).toEqual([
      42, 310, 0,
    ])
  })

  test('property: no turn is leased twice, whatever the mix of leases and strict turns', () => {
    const wants = fc.array(fc.oneof(fc.constant(null), fc.nat(200)), { maxLength: 60 })
    fc.assert(
      fc.property(wants, (steps) => {
        const state = rootWithModel()
        const leased: number[] = []
        for (const count of steps) {
          const block = count === null ? null : want(state, count)
          if (count === null) state.takeTicket('m')
          for (let turn = 0; turn < (block?.count ?? 0); turn += 1) leased.push((block?.first ?? 0) + turn)
        }
        expect(leased).toEqual(leased.map((_, at) => at))
        expect(state.nextTurn('strict', 'm')).toBe(steps.filter((count) => count === null).length)
      }),
    )
  })
})

describe('a state below another', () => {
  test('keeps its newer look at a worker when what comes from above is older', () => {
    const replica = new FleetState({ issuesTickets: false })
    replica.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 30 }] }), 30)
    const above = { takenAtMs: 25, inFlightElsewhere: new Map<string, number>(), tickets: new Map() }
    replica.adopt({ ...above, workers: [{ workerId: 'a', availability: 'up', models: ['m'], checkedAtMs: 20 }] })
    expect(workerOf(replica)).toEqual({ workerId: 'a', availability: 'suspect', models: ['m'], checkedAtMs: 30 })
    replica.adopt({ ...above, workers: [{ workerId: 'a', availability: 'up', models: ['m'], checkedAtMs: 40 }] })
    expect(workerOf(replica)?.availability).toBe('up')
  })

  test('tells of a worker that was not reached until the state above has taken it', () => {
    const replica = new FleetState({ issuesTickets: false })
    replica.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 30 }] }), 30)
    const first = replica.aggregate('replica', new Map(), 30)
    expect(first.unreachable).toEqual([{ workerId: 'a', atMs: 30 }])
    replica.note(
      reportOf('x', {
        unreachable: [
          { workerId: 'a', atMs: 31 },
          { workerId: 'b', atMs: 31 },
        ],
      }),
      31,
    )
    // The first call failed: its news go out again, one line per worker.
    const second = replica.aggregate('replica', new Map(), 31)
    expect(second.unreachable).toEqual([
      { workerId: 'a', atMs: 31 },
      { workerId: 'b', atMs: 31 },
    ])
    replica.note(reportOf('x', { unreachable: [{ workerId: 'b', atMs: 40 }] }), 40)
    replica.markTold(second.unreachable)
    expect(replica.aggregate('replica', new Map(), 41).unreachable).toEqual([{ workerId: 'b', atMs: 40 }])
  })
})
