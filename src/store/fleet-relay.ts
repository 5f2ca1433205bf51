// A replica of the fleet's state: many isolates sync with it, it syncs with the root at most twice a second, and passes
// both ways what it heard.

import { withModels } from './every-model.ts'
import { FleetCopy } from './fleet-copy.ts'
import type { FleetSnapshot, HolderReport } from './fleet-store.ts'

/**
 * A copy of the root's state younger than this is passed on without asking again. With the second that an isolate goes on
 * with what it got, and the calls, it stays below the two seconds after which everybody knows (docs/health.md).
 */
const FRESH_MS = 500

/** Turns are leased from the root for several isolates at once, and for about two seconds at the rate of late. */
const TICKET_FACTOR = 4

export interface FleetRelay {
  sync(report: HolderReport): Promise<FleetSnapshot>
}

export interface FleetRelayOptions {
  /** Name under which the root knows this replica. */
  readonly name: string
  /** Names this life of it, and no other. */
  readonly life: string
  now(): number
  /** Syncs with the root. */
  syncAbove(report: HolderReport): Promise<FleetSnapshot>
}

/** While the root can't be reached the relay serves its older copy, whose age shows; without any copy it rejects. */
export function createFleetRelay({ name, life, now, syncAbove }: FleetRelayOptions): FleetRelay {
  const copy = new FleetCopy(life)
  /** Turns wanted by key since the last call to the root. */
  let demand = new Map<string, number>()
  let wantsPermits = false
  let heardAtMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | null = null

  async function hear(): Promise<void> {
    const askedAtMs = now()
    const ticketsWanted = new Map<string, number>()
    for (const [key, wanted] of demand) {
      if (copy.turnsLeft(key) < 2 * wanted) ticketsWanted.set(key, TICKET_FACTOR * wanted)
    }
    demand = new Map()
    const report = copy.aggregate(name, { ticketsWanted, wantsPermits }, askedAtMs)
    wantsPermits = false
    copy.adopt(await syncAbove(report), { report, askedAtMs, nowMs: now() })
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
    for (const [key, wanted] of withModels(ticketsWanted, copy.workers())) {
      demand.set(key, (demand.get(key) ?? 0) + wanted)
      if (copy.turnsLeft(key) < wanted && copy.hasTurns(key)) isShort = true
    }
    return isShort
  }

  return {
    async sync(report) {
      copy.note(report, now())
      wantsPermits ||= report.wantsPermits
      const isShort = runShort(report.ticketsWanted)
      const hasNews = report.isUrgent || report.unreachable.length > 0
      // A call that is under way left before this report came.
      if (report.isUrgent && underWay !== null) await underWay.catch(() => {})
      if (hasNews || isShort || now() - heardAtMs > FRESH_MS) await hearOnce()
      return copy.snapshotFor(report, now())
    },
  }
}
