// The relay between isolates and the root: how often it asks, what it says while the root is away, whose turn it is.

import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../simulator/clock.ts'
import { createFleetRelay, type FleetRelay } from './fleet-relay.ts'
import { FleetState } from './fleet-state.ts'
import type { FleetSnapshot, HolderReport } from './fleet-store.ts'
import { createTicketDesk } from './ticket-desk.ts'
import { fleetConfigOf, outcomesOf, reportOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'

interface Rig {
  readonly clock: VirtualClock
  readonly root: FleetState
  readonly relay: FleetRelay
  /** What the root was told, call by call. */
  readonly calls: HolderReport[]
  /** Makes the root unreachable, or reachable again. */
  setDown(isDown: boolean): void
  /** Holds the root's answers back until the returned function is called. */
  hold(): () => void
}

function rigOf(): Rig {
  const clock = new VirtualClock(1_000_000)
  const root = new FleetState({ config: fleetConfigOf(['a']), drainSettleMs: 2_000, nowMs: clock.now() })
  root.observe([observationOf('a', { models: ['m', 'n'], atMs: clock.now() })])
  const calls: HolderReport[] = []
  let isDown = false
  let gate: Promise<void> = Promise.resolve()
  const relay = createFleetRelay({
    name: 'pool/replica/0',
    life: 'life 1',
    now: () => clock.now(),
    async syncAbove(report): Promise<FleetSnapshot> {
      calls.push(report)
      if (isDown) throw new Error('the root is away')
      root.note(report, clock.now())
      const answer = root.snapshotFor(report, clock.now())
      await gate
      return answer
    },
  })
  return {
    clock,
    root,
    relay,
    calls,
    setDown(next) {
      isDown = next
    },
    hold() {
      let open = () => {}
      gate = new Promise((resolve) => (open = resolve))
      return open
    },
  }
}

describe('asking the root', () => {
  test('serves a copy of up to half a second without a call, and asks anew after it', async () => {
    const { relay, clock, calls } = rigOf()
    await relay.sync(reportOf('x'))
    clock.advance(500)
    await relay.sync(reportOf('y'))
    expect(calls).toHaveLength(1)
    clock.advance(1)
    await relay.sync(reportOf('x'))
    expect(calls).toHaveLength(2)
  })

  test('makes one call at a time for everybody who waits', async () => {
    const { relay, calls, hold } = rigOf()
    const open = hold()
    const waiting = Promise.all(['x', 'y', 'z'].map((holder) => relay.sync(reportOf(holder))))
    expect(calls).toHaveLength(1)
    open()
    expect(await waiting).toHaveLength(3)
  })

  test('tells the root of all its holders as one, and holders of everybody else', async () => {
    const { relay, root, clock, calls } = rigOf()
    root.note(reportOf('elsewhere', { inFlight: new Map([['a', 10]]) }), clock.now())
    await relay.sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    const seen = await relay.sync(reportOf('y', { inFlight: new Map([['a', 3]]) }))
    expect(seen.inFlightElsewhere.get('a')).toBe(12)
    clock.advance(501)
    await relay.sync(reportOf('x', { inFlight: new Map([['a', 2]]) }))
    expect(calls.at(-1)?.inFlight).toEqual(new Map([['a', 5]]))
    expect(calls.at(-1)?.holder).toBe('pool/replica/0')
  })

  test('passes on at once that a worker was not reached', async () => {
    const { relay, root, clock, calls } = rigOf()
    await relay.sync(reportOf('x'))
    clock.advance(5)
    const told = await relay.sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: clock.now() }] }))
    expect(calls).toHaveLength(2)
    expect(told.workers[0]?.availability).toBe('suspect')
    expect(root.workers(clock.now())[0]?.availability).toBe('suspect')
  })

  test('news that come while a call is under way reach the root with the next one', async () => {
    const { relay, root, clock, calls, hold } = rigOf()
    const open = hold()
    const first = relay.sync(reportOf('x'))
    clock.advance(5)
    const second = relay.sync(reportOf('y', { unreachable: [{ workerId: 'a', atMs: clock.now() }] }))
    open()
    // The answer under way was given before the news, and must not hide them.
    expect((await first).workers[0]?.availability).toBe('suspect')
    expect((await second).workers[0]?.availability).toBe('suspect')
    clock.advance(501)
    await relay.sync(reportOf('y'))
    expect(calls.at(-1)?.unreachable).toEqual([{ workerId: 'a', atMs: 1_000_005 }])
    expect(root.workers(clock.now())[0]?.availability).toBe('suspect')
  })
})

describe('what it passes on', () => {
  test('an urgent report reaches the root before it is answered, also past a call that is under way', async () => {
    const { relay, clock, calls, hold } = rigOf()
    await relay.sync(reportOf('x'))
    await relay.sync(reportOf('x', { isUrgent: true, inFlight: new Map([['a', 1]]) }))
    expect(calls.at(-1)?.inFlight).toEqual(new Map([['a', 1]]))
    clock.advance(501)
    const open = hold()
    const first = relay.sync(reportOf('y'))
    const second = relay.sync(reportOf('z', { isUrgent: true, inFlight: new Map([['a', 2]]) }))
    open()
    await Promise.all([first, second])
    expect(calls.at(-1)?.inFlight).toEqual(new Map([['a', 3]]))
  })

  test('how old what it says may be, call by call', async () => {
    const { relay, clock } = rigOf()
    expect((await relay.sync(reportOf('x'))).ageMs).toBe(0)
    clock.advance(300)
    expect((await relay.sync(reportOf('y'))).ageMs).toBe(300)
  })

  test('outcomes of its holders as one batch, once, though the root was away', async () => {
    const { relay, root, clock, calls, setDown } = rigOf()
    await relay.sync(reportOf('x'))
    const epoch = root.workers(clock.now())[0]?.epoch ?? 0
    const batchOf = (sender: string) => ({ sender, seq: 1, workers: [outcomesOf('a', { epoch, faults: 2 })] })
    setDown(true)
    clock.advance(501)
    await relay.sync(reportOf('x', { outcomes: batchOf('x') }))
    await relay.sync(reportOf('x', { outcomes: batchOf('x') }))
    setDown(false)
    clock.advance(501)
    await relay.sync(reportOf('y', { outcomes: batchOf('y') }))
    clock.advance(501)
    await relay.sync(reportOf('y', { outcomes: batchOf('y') }))
    const sent = new Map(
      calls.flatMap(({ outcomes }) => (outcomes === null ? [] : [[outcomes.seq, outcomes] as const])),
    )
    expect([...sent.values()].map(({ workers }) => workers[0]?.faults)).toEqual([2, 2])
    expect(calls.at(-1)?.outcomes).toMatchObject({ sender: 'life 1', seq: 2 })
    expect(root.workers(clock.now())[0]?.availability).toBe('up')
  })

  test('permits: one holder gets one, and the root hears that it is in use', async () => {
    const { relay, root, clock, calls } = rigOf()
    await relay.sync(reportOf('x'))
    const epoch = root.workers(clock.now())[0]?.epoch ?? 0
    const outcomes = { sender: 'x', seq: 1, workers: [outcomesOf('a', { epoch, faults: 5 })] }
    await relay.sync(reportOf('x', { outcomes, isUrgent: true }))
    clock.advance(10_000)
    const wants = { wantsPermits: true }
    const { permits } = await relay.sync(reportOf('x', wants))
    expect(permits).toMatchObject([{ workerId: 'a' }])
    expect((await relay.sync(reportOf('y', wants))).permits).toEqual([])
    const held = permits.map((permit) => ({ ...permit, isInUse: true }))
    await relay.sync(reportOf('x', { permits: held, isUrgent: true }))
    expect(calls.at(-1)?.permits).toEqual(held)
    for (let at = 0; at < 9; at += 1) {
      clock.advance(1_000)
      expect((await relay.sync(reportOf('y', wants))).permits).toEqual([])
    }
    await relay.sync(reportOf('x'))
    clock.advance(501)
    expect((await relay.sync(reportOf('y', wants))).permits).toMatchObject([{ workerId: 'a' }])
  })

  test('when bytes last came, and since when it has heard of all who have requests there', async () => {
    const { relay, clock, calls } = rigOf()
    const inFlight = new Map([['a', 1]])
    await relay.sync(reportOf('x', { inFlight, quietMs: new Map([['a', 50]]) }))
    clock.advance(5_000)
    await relay.sync(reportOf('y', { inFlight }))
    expect(calls.at(-1)?.quietMs).toEqual(new Map([['a', 5_050]]))
    expect(calls.at(-1)?.unheardMs).toEqual(new Map([['a', 5_000]]))
  })
})

describe('while the root is away', () => {
  test('without any copy it rejects', async () => {
    const { relay, setDown } = rigOf()
    setDown(true)
    await expect(relay.sync(reportOf('x'))).rejects.toThrow('the root is away')
  })

  test('it serves the older copy, whose age shows, with what its own holders say', async () => {
    const { relay, clock, setDown } = rigOf()
    const fresh = await relay.sync(reportOf('x'))
    setDown(true)
    clock.advance(30_000)
    await relay.sync(reportOf('y', { inFlight: new Map([['a', 4]]) }))
    const older = await relay.sync(reportOf('x'))
    expect(older.takenAtMs).toBe(fresh.takenAtMs)
    expect(older.inFlightElsewhere.get('a')).toBe(4)
  })

  test('what could not be told is told once the root is back', async () => {
    const { relay, root, clock, setDown } = rigOf()
    await relay.sync(reportOf('x'))
    setDown(true)
    clock.advance(600)
    const failedAtMs = clock.now()
    await relay.sync(reportOf('x', { unreachable: [{ workerId: 'a', atMs: failedAtMs }] }))
    setDown(false)
    clock.advance(600)
    await relay.sync(reportOf('x'))
    expect(root.workers(clock.now())[0]).toMatchObject({ availability: 'suspect', checkedAtMs: failedAtMs })
  })
})

describe('turns', () => {
  test('blocks of its holders never overlap, nor with those the root leases elsewhere', async () => {
    const { relay, root, clock } = rigOf()
    const seen = new Set<number>()
    for (let round = 0; round < 50; round += 1) {
      clock.advance(round * 7)
      const wanted = new Map([['m', 1 + ((round * 37) % 90)]])
      const { tickets } = await relay.sync(reportOf(`h${round % 4}`, { ticketsWanted: wanted }))
      const elsewhere = root.snapshotFor(reportOf('other', { ticketsWanted: wanted }), clock.now()).tickets
      for (const block of [tickets.get('m'), elsewhere.get('m')]) {
        for (let turn = 0; turn < (block?.count ?? 0); turn += 1) {
          const at = (block?.first ?? 0) + turn
          expect(seen.has(at)).toBe(false)
          seen.add(at)
        }
      }
    }
  })

  test('a name that no worker serves is asked of the root no more often than anything else', async () => {
    const { relay, clock, calls } = rigOf()
    for (let at = 0; at < 20; at += 1) {
      clock.advance(50)
      const { tickets } = await relay.sync(reportOf('x', { ticketsWanted: new Map([[`made-up-${at}`, 64]]) }))
      expect(tickets.size).toBe(0)
    }
    expect(calls.length).toBeLessThanOrEqual(3)
  })

  test.each([
    { isolates: 4, perSecond: 20 },
    { isolates: 25, perSecond: 100 },
    { isolates: 100, perSecond: 400 },
  ])('$isolates isolates at $perSecond requests/s cost the root about two calls a second', async (load) => {
    const { relay, clock, calls } = rigOf()
    const desks = Array.from({ length: load.isolates }, () => createTicketDesk(() => 0))
    for (const desk of desks) desk.expect('m')
    const seconds = 20
    for (let tick = 0; tick < seconds * load.isolates; tick += 1) {
      const desk = desks[tick % load.isolates]
      const { tickets } = await relay.sync(
        reportOf(`h${tick % load.isolates}`, { ticketsWanted: desk?.wanted() ?? new Map() }),
      )
      desk?.accept(tickets)
      // The requests of the second until this isolate's next sync.
      for (let turn = 0; turn < load.perSecond; turn += 1) desk?.next('m')
      clock.advance(1_000 / load.isolates)
    }
    expect(calls.length / seconds).toBeLessThanOrEqual(2.5)
  })
})
