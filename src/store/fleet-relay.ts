// A replica of the fleet's state: many isolates sync with it, it syncs with the root at most twice a second, and passes
// both ways what it heard.

import { FleetState } from './fleet-state.ts'
import type { FleetSnapshot, HolderReport } from './fleet-store.ts'

/** A copy of the root's state younger than this is passed on without asking again. */
const FRESH_MS = 500

/** Turns are leased from the root for several isolates at once. */
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
  let heardAtMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | null = null

  async function hear(ticketsWanted: ReadonlyMap<string, number>): Promise<void> {
    state.adopt(await syncAbove(state.aggregate(name, ticketsWanted, now())))
    heardAtMs = now()
  }

  /** One call to the root at a time; within one object, unlike over isolates, requests may share a promise. */
  async function hearOnce(ticketsWanted: ReadonlyMap<string, number>): Promise<void> {
    underWay ??= hear(ticketsWanted).finally(() => {
      underWay = null
    })
    try {
      await underWay
    } catch (error) {
      if (heardAtMs === Number.NEGATIVE_INFINITY) throw error
    }
  }

  return {
    async sync(report) {
      state.note(report, now())
      const short = new Map<string, number>()
      for (const [key, wanted] of report.ticketsWanted) {
        if (state.ticketsLeft(key) < wanted) short.set(key, wanted * TICKET_FACTOR)
      }
      const isDue = now() - heardAtMs > FRESH_MS || short.size > 0 || report.unreachable.length > 0
      if (isDue) await hearOnce(short)
      return state.snapshotFor(report, now())
    },
  }
}
