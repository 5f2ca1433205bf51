// What the members of a pool agree on, as plain memory: leases by holder, turns, permits, and what is known of each worker.
// No I/O and no clock of its own; memory.ts and the Durable Object wrap it.

import { withModels } from './every-model.ts'
import { type FleetConfig, FleetHealth, type KeptWorker } from './fleet-health.ts'
import type {
  FleetSnapshot,
  HolderReport,
  ProbePermit,
  TicketBlock,
  WorkerObservation,
  WorkerState,
} from './fleet-store.ts'
import { HolderBook } from './holder-book.ts'
import { type HeardOccupancy, toOccupancy } from './lmcache-occupancy.ts'
import { PermitBook } from './permit-book.ts'
import { type TurnCount, TurnCounts } from './turn-counts.ts'

export interface FleetStateOptions {
  readonly config: FleetConfig
  /** How long a router may go on sending work to a drained worker, or leave work unreported. */
  readonly drainSettleMs: number
  readonly nowMs: number
}

/** What of a report decides the answer to it. */
type Asker = Pick<HolderReport, 'holder' | 'ticketsWanted' | 'wantsPermits'>

export class FleetState {
  readonly #health: FleetHealth
  readonly #holders = new HolderBook()
  readonly #permits = new PermitBook()
  readonly #turns = new TurnCounts({ issues: true })
  #lmcache: HeardOccupancy | null = null

  constructor({ config, drainSettleMs, nowMs }: FleetStateOptions) {
    this.#health = new FleetHealth(drainSettleMs)
    this.configure(config, nowMs)
  }

  /** Another configuration from now on. Workers that stay keep their history, others start anew or are forgotten. */
  configure(config: FleetConfig, nowMs: number): void {
    this.#health.configure(config, nowMs)
  }

  /** Files a holder's report. */
  note(report: HolderReport, nowMs: number): void {
    const outcomes = this.#holders.file(report, nowMs)
    this.#permits.heard(report.holder, report.permits, nowMs)
    // Times of another clock, which may be ahead of this one.
    for (const { workerId, atMs } of report.unreachable) this.#health.noteUnreachable(workerId, Math.min(atMs, nowMs))
    for (const [workerId, quietMs] of report.quietMs) this.#health.noteByte(workerId, nowMs - quietMs)
    if (outcomes !== null) this.#health.noteOutcomes(outcomes, nowMs)
    this.#health.noteWork(this.#holders.work(this.#health.workerOf), nowMs)
  }

  /** A holder is known to be dead: what it had in flight is no more. */
  forgetHolder(holder: string, nowMs: number): void {
    this.#holders.forget(holder)
    this.#health.noteWork(this.#holders.work(this.#health.workerOf), nowMs)
  }

  /** The state of the pool as the holder that reported should see it; gives it the turns and permits it wants. */
  snapshotFor({ holder, ticketsWanted, wantsPermits }: Asker, nowMs: number): FleetSnapshot {
    const leased = new Map<string, TicketBlock>()
    const workers = this.workers(nowMs)
    for (const [key, wanted] of withModels(ticketsWanted, workers)) {
      if (this.#hasTurns(key, workers)) leased.set(key, this.#turns.lease(key, wanted))
    }
    return {
      takenAtMs: nowMs,
      ageMs: 0,
      workers,
      inFlightElsewhere: this.#holders.sum(new Map(), holder),
      tickets: leased,
      permits: wantsPermits ? this.#grant(holder, nowMs) : [],
      ...(this.#lmcache === null ? {} : { lmcache: toOccupancy(this.#lmcache, nowMs) }),
    }
  }

  /** Files what a round of probes learned. */
  observe(observations: readonly WorkerObservation[]): void {
    this.#health.observe(observations)
  }

  /** Files what LMCache's control plane said of how full caches are; null where it is not asked. */
  noteLmcache(heard: HeardOccupancy | null): void {
    this.#lmcache = heard
  }

  /** Nobody has been asked for long, so that what probes said before says little: the next ones count at once. */
  lookAnew(): void {
    this.#health.lookAnew()
  }

  drain(workerId: string, deadlineMs: number, nowMs: number): void {
    this.#health.drain(workerId, deadlineMs, nowMs)
  }

  undrain(workerId: string, nowMs: number): void {
    this.#health.undrain(workerId, nowMs)
  }

  workers(nowMs: number): readonly WorkerState[] {
    return this.#health.states(nowMs)
  }

  /** What has changed of the workers since this was last asked, to be kept for another life. */
  takeChanges(): readonly KeptWorker[] {
    return this.#health.takeChanges()
  }

  /** Goes on from an earlier life. */
  resume(kept: readonly KeptWorker[]): void {
    this.#health.resume(kept)
  }

  /** The next strict turn of a key. */
  takeTicket(key: string): number {
    return this.#turns.take(key)
  }

  /** Where a count of this state stands. */
  nextTurn(count: TurnCount, key: string): number {
    return this.#turns.next(count, key)
  }

  /** Goes on counting where an earlier life of this state stood. */
  resumeTurn(count: TurnCount, key: string, next: number): void {
    this.#turns.resume(count, key, next)
  }

  /** Turns are counted for models that exist, and for requests without one: names come from callers without end. */
  #hasTurns(key: string, workers: readonly WorkerState[]): boolean {
    return key === '' || this.#turns.has(key) || workers.some(({ models }) => models?.includes(key) ?? false)
  }

  #grant(holder: string, nowMs: number): readonly ProbePermit[] {
    const granted: ProbePermit[] = []
    for (const { workerId, allowed } of this.#health.tried(nowMs)) {
      if (this.#permits.outstanding(workerId, nowMs) >= allowed) continue
      granted.push(this.#permits.issue(workerId, holder, nowMs))
    }
    return granted
  }
}
