// A replica of the fleet's state: many isolates sync with it, it syncs with the root at most twice a second, and passes
// both ways what it heard.

import { FleetState } from './fleet-state.ts'
import type { FleetSnapshot, HolderReport } from './fleet-store.ts'

/** A copy of the root's state younger than this is passed on without asking again. */
const FRESH_MS = 500

/** Turns are leased from the root for several isolates at once, and for about two seconds at the rate of late. */
const TICKET_FACTOR = 4

export interface FleetRelay {
  sync(report: HolderReport): Promise<FleetSnapshot>
}

export interface FleetRelayOptions {
  /** Name under which the root knows this replica. */
  readonly name: string
  now(): number
  /** Syncs with the root. */
  syncAbove(report: HolderReport): Promise<FleetSnapshot>
}

/** While the root can't be reached the relay serves its older copy, whose age shows; without any copy it rejects. */
export function createFleetRelay({ name, now, syncAbove }: FleetRelayOptions): FleetRelay {
  const state = new FleetState({ issuesTickets: false })
  /** Turns wanted by key since the last call to the root. */
  let demand = new Map<string, number>()
  let heardAtMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | null = null

  async function hear(): Promise<void> {
    const ticketsWanted = new Map<string, number>()
    for (const [key, wanted] of demand) {
      if (state.ticketsLeft(key) < 2 * wanted) ticketsWanted.set(key, TICKET_FACTOR * wanted)
    }
    demand = new Map()
    const report = state.aggregate(name, ticketsWanted, now())
    const answer = await syncAbove(report)
    state.adopt(answer)
    state.markTold(report.unreachable)
    heardAtMs = now()
  }

  /** One call to the root at a time; within one object, unlike over isolates, requests may share a promise. */
  async function hearOnce(): Promise<void> {
    underWay ??= hear().finally(() => {
      underWay = null
    })
    try {
      await underWay
    } catch (error) {
      if (heardAtMs === Number.NEGATIVE_INFINITY) throw error
    }
  }

  /** Notes what is wanted; true when what is at hand does not cover it and the root could give more. */
  function runShort(ticketsWanted: HolderReport['ticketsWanted']): boolean {
    let isShort = false
    for (const [key, wanted] of ticketsWanted) {
      demand.set(key, (demand.get(key) ?? 0) + wanted)
      if (state.ticketsLeft(key) < wanted && state.hasTurns(key)) isShort = true
    }
    return isShort
  }

  return {
    async sync(report) {
      state.note(report, now())
      const isShort = runShort(report.ticketsWanted)
      const isDue = now() - heardAtMs > FRESH_MS || isShort || report.unreachable.length > 0
      if (isDue) await hearOnce()
      return state.snapshotFor(report, now())
    },
  }
}
