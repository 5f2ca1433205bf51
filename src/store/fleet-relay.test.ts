// The relay between isolates and the root: how often it asks, what it says while the root is away, whose turn it is.

import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../simulator/clock.ts'
import { createFleetRelay, type FleetRelay } from './fleet-relay.ts'
import { FleetState } from './fleet-state.ts'
import type { FleetSnapshot, HolderReport } from './fleet-store.ts'
import { createTicketDesk } from './ticket-desk.ts'

function reportOf(holder: string, given: Partial<HolderReport> = {}): HolderReport {
  return { holder, inFlight: new Map(), unreachable: [], ticketsWanted: new Map(), ...given }
}

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
  const root = new FleetState({ issuesTickets: true })
  root.observe([{ workerId: 'a', reachable: true, models: ['m', 'n'], atMs: clock.now() }])
  const calls: HolderReport[] = []
  let isDown = false
  let gate: Promise<void> = Promise.resolve()
  const relay = createFleetRelay({
    name: 'pool/replica/0',
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
    expect(root.workers()[0]?.availability).toBe('suspect')
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
    expect(root.workers()[0]?.availability).toBe('suspect')
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
    expect(root.workers()[0]).toMatchObject({ availability: 'suspect', checkedAtMs: failedAtMs })
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
      const elsewhere = root.snapshotFor({ holder: 'other', ticketsWanted: wanted }, clock.now()).tickets
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
