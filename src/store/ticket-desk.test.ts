// Turns in leased blocks: an exact rotation for one desk, and equal shares over many that lease from one count.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FleetState } from './fleet-state.ts'
import { createTicketDesk, type TicketDesk } from './ticket-desk.ts'
import { fleetConfigOf, reportOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'

function rootServing(...models: string[]): FleetState {
  const root = new FleetState({ config: fleetConfigOf(['a']), drainSettleMs: 2_000, nowMs: 0 })
  root.observe([observationOf('a', { models })])
  return root
}

/** One report of a desk and its answer. Returns false when the desk wanted nothing. */
function report(desk: TicketDesk, root: FleetState, holder = 'x'): boolean {
  const ticketsWanted = desk.wanted()
  desk.accept(root.snapshotFor(reportOf(holder, { ticketsWanted }), 0).tickets)
  return ticketsWanted.size > 0
}

const turnsOf = (desk: TicketDesk, count: number, key = 'm') => Array.from({ length: count }, () => desk.next(key))

describe('one desk', () => {
  test('shows the turn that comes next without giving it', () => {
    const [desk, root] = [createTicketDesk(() => 41), rootServing('m')]
    expect(desk.peek('m')).toBeNull()
    desk.expect('m')
    // Over blocks that end, that are overdrawn, and that follow each other.
    for (let n = 0; n < 400; n += 1) {
      if (n % 97 === 0) report(desk, root)
      const [one, again] = [desk.peek('m'), desk.peek('m')]
      expect([one, again]).toEqual([desk.next('m'), one])
    }
  })

  test('counts on from a start of its own while it has no block', () => {
    const desk = createTicketDesk(() => 41)
    expect(turnsOf(desk, 3)).toEqual([41, 42, 43])
  })

  test('keys are counted apart', () => {
    const desk = createTicketDesk(() => 0)
    expect([...turnsOf(desk, 2), ...turnsOf(desk, 2, 'n')]).toEqual([0, 1, 0, 1])
  })

  test('rotates exactly when it reports before its blocks run out', () => {
    const root = rootServing('m')
    const desk = createTicketDesk(() => 7)
    desk.expect('m')
    const seen: number[] = []
    for (const used of [0, 10, 25, 40, 5, 60, 100, 120, 0, 33]) {
      report(desk, root)
      seen.push(...turnsOf(desk, used))
    }
    expect(seen).toEqual(seen.map((_, at) => at))
  })

  test('asks only when it runs low, for about twice what it used', () => {
    const root = rootServing('m')
    const desk = createTicketDesk(() => 0)
    desk.expect('m')
    expect(desk.wanted()).toEqual(new Map([['m', 64]]))
    desk.accept(new Map([['m', { first: 0, count: 64 }]]))
    turnsOf(desk, 5)
    expect(report(desk, root)).toBe(false)
    turnsOf(desk, 50)
    expect(desk.wanted()).toEqual(new Map([['m', 100]]))
  })

  test('counted past its block, it takes as many turns off the next one', () => {
    const desk = createTicketDesk(() => 0)
    desk.accept(new Map([['m', { first: 0, count: 4 }]]))
    expect(turnsOf(desk, 6)).toEqual([0, 1, 2, 3, 4, 5])
    desk.accept(new Map([['m', { first: 100, count: 10 }]]))
    expect(turnsOf(desk, 3)).toEqual([102, 103, 104])
  })

  test('a name about to be used is asked for, and kept only when turns for it come', () => {
    const root = rootServing('m')
    const desk = createTicketDesk(() => 0)
    for (const name of ['made-up', 'm']) {
      const ticketsWanted = desk.wanted(name)
      expect(ticketsWanted.get(name)).toBe(64)
      desk.accept(root.snapshotFor(reportOf('x', { ticketsWanted }), 0).tickets)
    }
    turnsOf(desk, 40)
    expect([...desk.wanted().keys()]).toEqual(['m'])
  })
})

/** Requests per worker when each turn goes to worker `turn mod workers`. */
function sharesOf(turns: readonly number[], workers: number): number[] {
  const shares = Array.from({ length: workers }, () => 0)
  for (const turn of turns) shares[turn % workers] = (shares[turn % workers] ?? 0) + 1
  return shares
}

const spread = (shares: readonly number[]): number => Math.max(...shares) - Math.min(...shares)

const traffic = fc.record({
  desks: fc.integer({ min: 1, max: 6 }),
  workers: fc.integer({ min: 2, max: 5 }),
  steps: fc.array(fc.record({ desk: fc.nat(5), requests: fc.nat(300), hasReported: fc.boolean() }), { maxLength: 40 }),
})

test('property: over any number of desks, shares differ by one request per run of turns at most', () => {
  fc.assert(
    fc.property(traffic, ({ desks: count, workers, steps }) => {
      const root = rootServing('m')
      const desks = Array.from({ length: count }, (_, at) => createTicketDesk(() => at * 17))
      const turns: number[] = []
      const last = new Map<TicketDesk, number>()
      let runs = 0
      for (const { desk: at, requests, hasReported } of steps) {
        const desk = desks[at % count]
        if (desk === undefined) continue
        if (hasReported) report(desk, root, `h${at % count}`)
        for (const turn of turnsOf(desk, requests)) {
          // A run is a stretch of consecutive turns of one desk; each can be one request uneven.
          if (turn - 1 !== last.get(desk)) runs += 1
          last.set(desk, turn)
          turns.push(turn)
        }
      }
      expect(spread(sharesOf(turns, workers))).toBeLessThanOrEqual(runs)
    }),
  )
})

test('property: desks that report in time take every turn of the count but those still unused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(5), { maxLength: 200 }), (count, order) => {
      const root = rootServing('m')
      const desks = Array.from({ length: count }, () => createTicketDesk(() => 0))
      for (const desk of desks) desk.expect('m')
      for (const desk of desks) report(desk, root)
      const turns: number[] = []
      for (const at of order) {
        const desk = desks[at % count]
        if (desk === undefined) continue
        turns.push(...turnsOf(desk, 20))
        report(desk, root)
      }
      expect(new Set(turns).size).toBe(turns.length)
      // What is left of a block, and the block after it, per desk is all that can be uneven.
      expect(spread(sharesOf(turns, 3))).toBeLessThanOrEqual(2 * count)
    }),
  )
})
