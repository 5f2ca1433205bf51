// What the members of a pool agree on, as plain memory: leases by holder, turns, and what probes learned of each worker.
// No I/O and no clock of its own; memory.ts and the Durable Object wrap it.

import type { FleetSnapshot, HolderReport, TicketBlock, WorkerObservation, WorkerState } from './fleet-store.ts'

/** A holder that has not reported for this long is taken for dead, and what it had in flight is forgotten. */
export const LEASE_TTL_MS = 60_000

/** Turns handed out at once at most; a holder asks for about what it used since it last asked. */
const MAX_TICKET_BLOCK = 4_096

interface Holder {
  readonly inFlight: ReadonlyMap<string, number>
  readonly reportedAtMs: number
}

export interface FleetState {
  /** Files a holder's report. */
  note(report: HolderReport, nowMs: number): void
  /** The state of the pool as the holder that reported should see it; leases it the turns it wants. */
  snapshotFor(report: Pick<HolderReport, 'holder' | 'ticketsWanted'>, nowMs: number): FleetSnapshot
  takeTicket(key: string): number
  /** Files what a round of probes learned; an observation older than what is known is dropped. */
  observe(observations: readonly WorkerObservation[]): void
  workers(): readonly WorkerState[]
  /** Everything in flight below this state, as one holder's report to a state above it. */
  aggregate(holder: string, ticketsWanted: ReadonlyMap<string, number>, nowMs: number): HolderReport
  /** Takes over what a state above knows: workers, load elsewhere, turns. */
  adopt(snapshot: FleetSnapshot): void
  /** How many turns of `key` are at hand; Infinity for the state that issues them. */
  ticketsLeft(key: string): number
}

/** `issuesTickets` is true for the one state of a pool that counts turns, false for replicas below it. */
export function createFleetState({ issuesTickets }: { readonly issuesTickets: boolean }): FleetState {
  const holders = new Map<string, Holder>()
  const workers = new Map<string, WorkerState>()
  const tickets = new Map<string, TicketBlock>()
  let above: FleetSnapshot | null = null
  let unreachableReports: HolderReport['unreachable'] = []

  function dropDeadHolders(nowMs: number): void {
    for (const [name, holder] of holders) {
      if (nowMs - holder.reportedAtMs > LEASE_TTL_MS) holders.delete(name)
    }
  }

  function sumInFlight(start: ReadonlyMap<string, number>, exceptHolder: string | null): Map<string, number> {
    const sum = new Map(start)
    for (const [name, { inFlight }] of holders) {
      if (name === exceptHolder) continue
      for (const [candidate, count] of inFlight) sum.set(candidate, (sum.get(candidate) ?? 0) + count)
    }
    return sum
  }

  function leaseTickets(key: string, wanted: number): TicketBlock {
    const available = tickets.get(key) ?? { first: 0, count: issuesTickets ? Number.MAX_SAFE_INTEGER : 0 }
    const count = Math.min(Math.max(0, Math.ceil(wanted)), MAX_TICKET_BLOCK, available.count)
    tickets.set(key, { first: available.first + count, count: available.count - count })
    return { first: available.first, count }
  }

  function noteUnreachable(reports: HolderReport['unreachable']): void {
    for (const { workerId, atMs } of reports) {
      const known = workers.get(workerId)
      if (known?.checkedAtMs !== null && known !== undefined && known.checkedAtMs > atMs) continue
      workers.set(workerId, {
        workerId,
        availability: 'down',
        models: known?.models ?? null,
        checkedAtMs: atMs,
      })
    }
  }

  return {
    note(report, nowMs) {
      dropDeadHolders(nowMs)
      holders.set(report.holder, { inFlight: report.inFlight, reportedAtMs: nowMs })
      noteUnreachable(report.unreachable)
      if (!issuesTickets) unreachableReports = [...unreachableReports, ...report.unreachable]
    },

    snapshotFor({ holder, ticketsWanted }, nowMs) {
      const leased = new Map<string, TicketBlock>()
      for (const [key, wanted] of ticketsWanted) leased.set(key, leaseTickets(key, wanted))
      return {
        takenAtMs: above?.takenAtMs ?? nowMs,
        workers: [...workers.values()],
        inFlightElsewhere: sumInFlight(above?.inFlightElsewhere ?? new Map(), holder),
        tickets: leased,
      }
    },

    takeTicket: (key) => leaseTickets(key, 1).first,

    observe(observations) {
      for (const { workerId, reachable, models, atMs } of observations) {
        const known = workers.get(workerId)
        if (known !== undefined && known.checkedAtMs !== null && known.checkedAtMs > atMs) continue
        workers.set(workerId, {
          workerId,
          availability: reachable ? 'up' : 'down',
          models: models ?? known?.models ?? null,
          checkedAtMs: atMs,
        })
      }
    },

    workers: () => [...workers.values()],

    aggregate(holder, ticketsWanted, nowMs) {
      dropDeadHolders(nowMs)
      const inFlight = sumInFlight(new Map(), null)
      const unreachable = unreachableReports
      unreachableReports = []
      return { holder, inFlight, unreachable, ticketsWanted }
    },

    adopt(snapshot) {
      above = snapshot
      for (const worker of snapshot.workers) workers.set(worker.workerId, worker)
      for (const [key, block] of snapshot.tickets) {
        // What is left of the older block is given up: a hole in the count does no harm, a turn given twice would.
        if (block.count > 0) tickets.set(key, block)
      }
    },

    ticketsLeft: (key) => (issuesTickets ? Number.POSITIVE_INFINITY : (tickets.get(key)?.count ?? 0)),
  }
}
