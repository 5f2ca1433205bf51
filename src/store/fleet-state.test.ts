// What members of a pool agree on, as plain memory: order of observations, sums of leases, turns, and two levels of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fleetConfigOf, outcomesOf, reportOf, workerOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'
import { FleetCopy } from './fleet-copy.ts'
import { FleetState } from './fleet-state.ts'
import type { HolderReport, WorkerOutcomes, WorkerState } from './fleet-store.ts'
import { LEASE_TTL_MS } from './holder-book.ts'

const askerOf = (holder: string) => reportOf(holder)

function rootOf(ids: readonly string[], nowMs = 0): FleetState {
  return new FleetState({ config: fleetConfigOf(ids), drainSettleMs: 2_000, nowMs })
}

/** A root that knows worker `a` to serve `m`, since time 0. */
function rootWithModel(): FleetState {
  const state = rootOf(['a'])
  state.observe([observationOf('a', { models: ['m'] })])
  return state
}

function stateOf(state: FleetState, workerId = 'a', nowMs = 1_000): WorkerState | undefined {
  return state.workers(nowMs).find((worker) => worker.workerId === workerId)
}

describe('observations', () => {
  test('an older one never overrules a newer one', () => {
    const state = rootWithModel()
    state.observe([observationOf('a', { health: 'unreachable', status: null, atMs: 20 })])
    state.observe([observationOf('a', { models: ['old'], atMs: 10 })])
    expect(stateOf(state)).toMatchObject({ availability: 'suspect', models: ['m'], checkedAtMs: 20 })
  })

  test('one without models keeps those known, an empty list replaces them', () => {
    const state = rootWithModel()
    state.observe([observationOf('a', { atMs: 1 })])
    expect(stateOf(state)?.models).toEqual(['m'])
    state.observe([observationOf('a', { models: [], atMs: 2 })])
    expect(stateOf(state)?.models).toEqual([])
  })

  test('a report that came late does not take down a worker that was seen since', () => {
    const state = rootWithModel()
    state.observe([observationOf('a', { models: ['m'], atMs: 50 })])
    state.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 40 }] }), 60)
    expect(stateOf(state)?.availability).toBe('up')
    state.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 55 }] }), 60)
    expect(stateOf(state)?.availability).toBe('suspect')
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
        const replicas = [0, 1].map((at) => new FleetCopy(`life ${at}`))
        const last = new Map<number, number>()
        for (const { holder, count } of steps) {
          last.set(holder, count)
          const inFlight = new Map(count === 0 ? [] : [['a', count]])
          replicas[holder % 2]?.note(reportOf(`h${holder}`, { inFlight }), 0)
        }
        // Twice, so that each replica has heard of what the other said.
        for (const at of [0, 1, 0, 1]) {
          const given = { ticketsWanted: new Map(), wantsPermits: false }
          const report = replicas[at]?.aggregate(`replica-${at}`, given, 0) ?? reportOf('none')
          root.note(report, 0)
          replicas[at]?.adopt(root.snapshotFor(report, 0), { report, askedAtMs: 0, nowMs: 0 })
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
  const want = (state: Pick<FleetState, 'snapshotFor'>, count: number, key = 'm') =>
    state.snapshotFor(reportOf('x', { ticketsWanted: new Map([[key, count]]) }), 0).tickets.get(key)

  test('blocks come from one count per key', () => {
    const state = rootOf(['a'])
    state.observe([observationOf('a', { models: ['m', 'n'] })])
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

describe('who belongs to the pool', () => {
  test('news of others are dropped', () => {
    const state = rootWithModel()
    state.observe([observationOf('z', { models: ['m'] })])
    state.note(reportOf('x', { unreachable: [{ workerId: 'z', atMs: 5 }] }), 5)
    state.drain('z', 100, 5)
    expect(state.workers(5).map(({ workerId }) => workerId)).toEqual(['a'])
  })

  test('a worker that stays keeps its history; one removed, or at another address, starts anew (F71)', () => {
    const state = rootOf(['a', 'b', 'c'])
    for (const workerId of ['a', 'b', 'c']) state.observe([observationOf(workerId, { models: ['m'] })])
    const epochs = new Map(state.workers(0).map(({ workerId, epoch }) => [workerId, epoch]))
    const broken = (workerId: string) => outcomesOf(workerId, { epoch: epochs.get(workerId) ?? 0, faults: 5 })
    const outcomes = { sender: 'x', seq: 1, workers: [broken('a'), broken('b'), broken('c')] }
    state.note(reportOf('x', { outcomes }), 1)
    const config = fleetConfigOf(['a'])
    state.configure({ ...config, workers: [workerOf('a'), workerOf('b', { url: 'http://elsewhere.test' })] }, 2)
    state.configure(fleetConfigOf(['a', 'b', 'c']), 3)
    expect(state.workers(3).map(({ workerId, availability }) => [workerId, availability])).toEqual([
      ['a', 'open'],
      ['b', 'unknown'],
      ['c', 'unknown'],
    ])
    // What attempts at the earlier worker of that name come to says nothing about this one.
    for (const { workerId, epoch } of state.workers(3)) {
      if (workerId !== 'a') expect(epoch).toBeGreaterThan((epochs.get(workerId) ?? 0) + 1)
    }
  })

  test('what is kept for another life: what changed, once, and what is gone', () => {
    const state = rootOf(['a', 'b'])
    state.observe([observationOf('a', { models: ['m'] })])
    expect(state.takeChanges().map(({ workerId }) => workerId)).toEqual(['a'])
    expect(state.takeChanges()).toEqual([])
    state.drain('b', 9_000, 5)
    const kept = state.takeChanges()
    state.configure(fleetConfigOf(['b']), 6)
    expect(state.takeChanges()).toEqual([{ workerId: 'a', memo: null }])
    const again = rootOf(['b'], 7)
    again.resume(structuredClone(kept))
    expect(stateOf(again, 'b', 7)).toMatchObject({ availability: 'draining', drain: { deadlineMs: 9_000 } })
  })

  test('what was kept of a worker that is gone, or is elsewhere now, is dropped for good', () => {
    const state = rootOf(['a'])
    state.drain('a', 9_000, 5)
    const [kept] = state.takeChanges()
    const memo = kept?.memo ?? null
    const again = rootOf(['a', 'b'], 7)
    again.resume([
      { workerId: 'a', memo: memo === null ? null : { ...memo, url: 'http://elsewhere.test' } },
      { workerId: 'gone', memo },
    ])
    expect(stateOf(again, 'a', 7)?.availability).toBe('unknown')
    expect(again.takeChanges().map((change) => [change.workerId, change.memo])).toContainEqual(['gone', null])
  })
})

describe('what requests found out', () => {
  const report = (holder: string, seq: number, counts: Partial<WorkerOutcomes>, state: FleetState) =>
    reportOf(holder, {
      outcomes: {
        sender: holder,
        seq,
        workers: [outcomesOf('a', { epoch: stateOf(state)?.epoch ?? 0, ...counts })],
      },
    })

  test('adds up over holders, and a report that comes twice counts once', () => {
    const state = rootWithModel()
    for (let at = 0; at < 9; at += 1) state.note(report('x', 1, { faults: 2 }, state), at)
    state.note(report('y', 1, { faults: 2 }, state), 10)
    expect(stateOf(state)?.availability).toBe('up')
    state.note(report('x', 2, { faults: 1 }, state), 11)
    expect(stateOf(state, 'a', 11)).toMatchObject({ availability: 'open', breaker: { state: 'open' } })
  })

  test('ranks are one worker: what runs on any of them keeps it from being parked', () => {
    const config = { ...fleetConfigOf([]), workers: [workerOf('a', { dataParallelSize: 2 })] }
    const state = new FleetState({ config, drainSettleMs: 2_000, nowMs: 0 })
    state.note(reportOf('x', { inFlight: new Map([['a@1', 1]]) }), 0)
    state.drain('a', 60_000, 0)
    expect(stateOf(state, 'a', 5_000)?.drain).toMatchObject({ state: 'draining', inFlight: 1 })
    state.note(reportOf('x'), 6_000)
    expect(stateOf(state, 'a', 6_000)?.drain).toMatchObject({ state: 'parked', inFlight: 0 })
  })

  test('a worker hangs when every holder that has requests there has seen nothing of it for long', () => {
    const state = rootWithModel()
    const inFlight = new Map([['a', 1]])
    const stallMs = 120_000
    for (let nowMs = 0; nowMs < stallMs; nowMs += 4_000) state.note(reportOf('x', { inFlight }), nowMs)
    state.note(reportOf('y', { inFlight, quietMs: new Map([['a', 10]]) }), stallMs)
    state.note(reportOf('x', { inFlight }), stallMs + 1_000)
    expect(stateOf(state, 'a', stallMs + 1_000)?.availability).toBe('up')
    for (let nowMs = stallMs; nowMs <= 2 * stallMs + 4_000; nowMs += 4_000) {
      state.note(reportOf('x', { inFlight }), nowMs)
      // A copy in between speaks for holders that it heard of half a minute ago.
      state.note(reportOf('y', { inFlight, unheardMs: new Map([['a', 30_000]]) }), nowMs)
    }
    expect(stateOf(state, 'a', 2 * stallMs + 4_000)?.availability).toBe('up')
    state.note(reportOf('y', { inFlight }), 2 * stallMs + 4_000)
    expect(stateOf(state, 'a', 2 * stallMs + 4_000)?.availability).toBe('hung')
  })
})

test('a router whose clock is ahead can make a worker suspect, and does not make it deaf to probes', () => {
  const state = new FleetState({ config: fleetConfigOf(['a']), drainSettleMs: 2_000, nowMs: 0 })
  const word = () => state.workers(20_000).map(({ availability }) => availability)
  state.observe([observationOf('a', { atMs: 10_000 })])
  state.note(reportOf('x', { unreachable: [{ workerId: 'a', atMs: 40_000 }] }), 11_000)
  expect(word()).toEqual(['suspect'])
  state.observe([observationOf('a', { atMs: 11_200 })])
  expect(word()).toEqual(['up'])
})

describe('permits', () => {
  /** A root whose worker `a` is half open from 20,000 on. */
  function halfOpen(): FleetState {
    const state = rootWithModel()
    const outcomes = {
      sender: 'z',
      seq: 1,
      workers: [outcomesOf('a', { epoch: stateOf(state)?.epoch ?? 0, faults: 5 })],
    }
    state.note(reportOf('z', { outcomes }), 10_000)
    return state
  }
  const ask = (state: FleetState, holder: string, nowMs: number, given: Partial<HolderReport> = {}) => {
    const report = reportOf(holder, { wantsPermits: true, ...given })
    state.note(report, nowMs)
    return state.snapshotFor(report, nowMs).permits
  }

  test('are given for a half-open worker alone, one at a time over all holders, to who wants one', () => {
    const state = halfOpen()
    expect(ask(state, 'x', 19_999)).toEqual([])
    expect(ask(state, 'x', 20_000, { wantsPermits: false })).toEqual([])
    const [permit] = ask(state, 'x', 20_000)
    expect(permit?.workerId).toBe('a')
    expect(ask(state, 'y', 20_000)).toEqual([])
    const held = [{ id: permit?.id ?? 0, workerId: 'a', isInUse: true }]
    expect(ask(state, 'x', 20_500, { permits: held })).toEqual([])
    expect(ask(state, 'y', 35_000)).toEqual([])
    // It ended: the next may go.
    const [next] = ask(state, 'x', 35_100)
    expect(next?.id).toBeGreaterThan(permit?.id ?? 0)
  })

  test('property: never more in use at a time than allowed, whatever holders do', () => {
    const acts = fc.array(
      fc.record({
        holder: fc.constantFrom('x', 'y', 'z'),
        ms: fc.nat(900),
        isUsed: fc.boolean(),
        isEnded: fc.boolean(),
      }),
      { maxLength: 100 },
    )
    fc.assert(
      fc.property(acts, (steps) => {
        const state = halfOpen()
        let nowMs = 20_000
        const held = new Map<string, { id: number; isInUse: boolean; gotAtMs: number }>()
        const toldAtMs = new Map<string, number>()
        const tell = (holder: string, wantsPermits: boolean) => {
          toldAtMs.set(holder, nowMs)
          const listed = held.get(holder)
          const permits = listed === undefined ? [] : [{ id: listed.id, workerId: 'a', isInUse: listed.isInUse }]
          return ask(state, holder, nowMs, { wantsPermits, permits })
        }
        for (const { holder, ms, isUsed, isEnded } of steps) {
          nowMs += ms
          // Who has requests reports every few seconds, whatever else happens.
          for (const name of held.keys()) if (nowMs - (toldAtMs.get(name) ?? 0) > 9_000) tell(name, false)
          const own = held.get(holder)
          // A holder begins with a permit within a second and a half, or not at all, and says at once that it did.
          if (own !== undefined && !own.isInUse && nowMs - own.gotAtMs > 1_500) held.delete(holder)
          else if (own?.isInUse === true && isEnded) held.delete(holder)
          else if (own !== undefined && isUsed) own.isInUse = true
          const [permit] = tell(holder, true)
          if (permit !== undefined && !held.has(holder))
            held.set(holder, { id: permit.id, isInUse: false, gotAtMs: nowMs })
          expect([...held.values()].filter(({ isInUse }) => isInUse).length).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})
