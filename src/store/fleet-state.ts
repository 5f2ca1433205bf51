// What the members of a pool agree on, as plain memory: leases by holder, turns, and what probes learned of each worker.
// No I/O and no clock of its own; memory.ts and the Durable Object wrap it.

import type { FleetSnapshot, HolderReport, TicketBlock, WorkerObservation, WorkerState } from './fleet-store.ts'

/** A holder that has not reported for this long is taken for dead, and what it had in flight is forgotten. */
export const LEASE_TTL_MS = 60_000

/** Turns handed out at once at most; a holder asks for about what it, or those below it, used since it last asked. */
const MAX_TICKET_BLOCK = 65_536

interface Holder {
  readonly inFlight: ReadonlyMap<string, number>
  readonly reportedAtMs: number
}

/** The counts of turns a state keeps by key: leased in blocks, or taken one by one. */
export type TurnCount = 'leased' | 'strict'

export class FleetState {
  readonly #issuesTickets: boolean
  readonly #holders = new Map<string, Holder>()
  readonly #workers = new Map<string, WorkerState>()
  readonly #tickets = new Map<string, TicketBlock>()
  /** Strict turns have a count of their own: blocks leased in between would leave holes in it. */
  readonly #strictTurns = new Map<string, number>()
  /** What the state above knew last; null for the root. */
  #above: FleetSnapshot | null = null
  /** Workers that holders could not reach, with the last time, until the state above has been told. */
  readonly #unreachable = new Map<string, number>()

  /** `issuesTickets` is true for the one state of a pool that counts turns, false for replicas below it. */
  constructor({ issuesTickets }: { readonly issuesTickets: boolean }) {
    this.#issuesTickets = issuesTickets
  }

  /** Files a holder's report. */
  note(report: HolderReport, nowMs: number): void {
    this.#dropDeadHolders(nowMs)
    this.#holders.set(report.holder, { inFlight: report.inFlight, reportedAtMs: nowMs })
    for (const { workerId, atMs } of report.unreachable) {
      this.#suspect(workerId, atMs)
      if (!this.#issuesTickets) this.#unreachable.set(workerId, Math.max(atMs, this.#unreachable.get(workerId) ?? atMs))
    }
  }

  /** The state of the pool as the holder that reported should see it; leases it the turns it wants. */
  snapshotFor({ holder, ticketsWanted }: Pick<HolderReport, 'holder' | 'ticketsWanted'>, nowMs: number): FleetSnapshot {
    const leased = new Map<string, TicketBlock>()
    for (const [key, wanted] of ticketsWanted) {
      if (this.hasTurns(key)) leased.set(key, this.#leaseTickets(key, wanted))
    }
    return {
      takenAtMs: this.#above?.takenAtMs ?? nowMs,
      workers: this.workers(),
      inFlightElsewhere: this.#sumInFlight(this.#above?.inFlightElsewhere ?? new Map(), holder),
      tickets: leased,
    }
  }

  /** The next strict turn of a key. */
  takeTicket(key: string): number {
    const turn = this.nextTurn('strict', key)
    this.#strictTurns.set(key, turn + 1)
    return turn
  }

  /** Where a count of this state stands. */
  nextTurn(count: TurnCount, key: string): number {
    return (count === 'strict' ? this.#strictTurns.get(key) : this.#tickets.get(key)?.first) ?? 0
  }

  /** Goes on counting where an earlier life of this state stood. */
  resumeTurn(count: TurnCount, key: string, next: number): void {
    if (count === 'strict') this.#strictTurns.set(key, next)
    else this.#tickets.set(key, { first: next, count: Number.MAX_SAFE_INTEGER - next })
  }

  /** Files what a round of probes learned. */
  observe(observations: readonly WorkerObservation[]): void {
    for (const observation of observations) this.#file(observation)
  }

  workers(): readonly WorkerState[] {
    return [...this.#workers.values()]
  }

  /** Everything in flight below this state, as one holder's report to a state above it. */
  aggregate(holder: string, ticketsWanted: ReadonlyMap<string, number>, nowMs: number): HolderReport {
    this.#dropDeadHolders(nowMs)
    const unreachable = Array.from(this.#unreachable, ([workerId, atMs]) => ({ workerId, atMs }))
    return { holder, inFlight: this.#sumInFlight(new Map(), null), unreachable, ticketsWanted }
  }

  /** The state above has these reports; until then each `aggregate` repeats them. */
  markTold(reports: HolderReport['unreachable']): void {
    for (const { workerId, atMs } of reports) {
      if (this.#unreachable.get(workerId) === atMs) this.#unreachable.delete(workerId)
    }
  }

  /** Takes over what a state above knows: workers, load elsewhere, turns. */
  adopt(snapshot: FleetSnapshot): void {
    this.#above = snapshot
    for (const worker of snapshot.workers) this.#adoptWorker(worker)
    for (const [key, block] of snapshot.tickets) {
      // What is left of the older block is given up: a hole in the count does no harm, a turn given twice would.
      if (block.count > 0) this.#tickets.set(key, block)
    }
  }

  /** Turns are counted for models that exist, and for requests without one: names come from callers without end. */
  hasTurns(key: string): boolean {
    return key === '' || this.#tickets.has(key) || this.workers().some(({ models }) => models?.includes(key) ?? false)
  }

  /** How many turns of `key` are at hand; Infinity for the state that issues them. */
  ticketsLeft(key: string): number {
    return this.#issuesTickets ? Number.POSITIVE_INFINITY : (this.#tickets.get(key)?.count ?? 0)
  }

  /**
   * A report that came in while the state above was being asked is newer than its answer, and is kept. But a probe's word
   * outweighs it: requests that go on failing must not hide that the worker is known to be gone.
   */
  #adoptWorker(worker: WorkerState): void {
    const known = this.#workers.get(worker.workerId)
    const isOlder = (worker.checkedAtMs ?? Number.NEGATIVE_INFINITY) < (known?.checkedAtMs ?? Number.NEGATIVE_INFINITY)
    if (known === undefined || !isOlder || worker.availability === 'down') this.#workers.set(worker.workerId, worker)
    else this.#workers.set(worker.workerId, { ...known, models: worker.models ?? known.models })
  }

  /** An observation older than what is known is dropped; one without models keeps those known. */
  #file({ workerId, reachable, models, atMs }: WorkerObservation): void {
    const known = this.#workers.get(workerId)
    if (known !== undefined && known.checkedAtMs !== null && known.checkedAtMs > atMs) return
    this.#workers.set(workerId, {
      workerId,
      availability: reachable ? 'up' : 'down',
      models: models ?? known?.models ?? null,
      checkedAtMs: atMs,
    })
  }

  /** A request's word against a worker is weaker than a probe's: one that is down stays down. */
  #suspect(workerId: string, atMs: number): void {
    const known = this.#workers.get(workerId)
    if (known !== undefined && (known.availability === 'down' || (known.checkedAtMs ?? atMs) > atMs)) return
    this.#workers.set(workerId, { workerId, availability: 'suspect', models: known?.models ?? null, checkedAtMs: atMs })
  }

  #dropDeadHolders(nowMs: number): void {
    for (const [name, holder] of this.#holders) {
      if (nowMs - holder.reportedAtMs > LEASE_TTL_MS) this.#holders.delete(name)
    }
  }

  #sumInFlight(start: ReadonlyMap<string, number>, exceptHolder: string | null): ReadonlyMap<string, number> {
    const sum = new Map(start)
    for (const [name, { inFlight }] of this.#holders) {
      if (name === exceptHolder) continue
      for (const [candidate, count] of inFlight) sum.set(candidate, (sum.get(candidate) ?? 0) + count)
    }
    return sum
  }

  #leaseTickets(key: string, wanted: number): TicketBlock {
    const start = { first: 0, count: this.#issuesTickets ? Number.MAX_SAFE_INTEGER : 0 }
    const available = this.#tickets.get(key) ?? start
    const count = Math.min(Math.max(0, Math.ceil(wanted)), MAX_TICKET_BLOCK, available.count)
    this.#tickets.set(key, { first: available.first + count, count: available.count - count })
    return { first: available.first, count }
  }
}
