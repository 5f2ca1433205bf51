// A copy of the fleet's state between holders and the state itself: sums up what its holders report, and hands on what it
// last heard from above.

import type { FleetSnapshot, HolderReport, ProbePermit, TicketBlock, WorkerState } from './fleet-store.ts'
import { withModels } from './every-model.ts'
import { HolderBook, LEASE_TTL_MS } from './holder-book.ts'
import { OutcomeLedger } from './outcome-ledger.ts'
import { PermitBook } from './permit-book.ts'
import { TurnCounts } from './turn-counts.ts'

/** A question that was put to the state above. */
export interface Asked {
  readonly report: HolderReport
  readonly askedAtMs: number
  readonly nowMs: number
}

export class FleetCopy {
  readonly #holders = new HolderBook()
  readonly #permits = new PermitBook()
  readonly #turns = new TurnCounts({ issues: false })
  readonly #ledger: OutcomeLedger
  /** What the state above knew last; null before the first answer. */
  #above: FleetSnapshot | null = null
  /** From when the last answer is for sure, by this memory's clock. */
  #aboveAtMs = Number.NEGATIVE_INFINITY
  /** Workers that holders could not reach, with the last time, until the state above has been told. */
  readonly #unreachable = new Map<string, number>()
  readonly #lastByteAtMs = new Map<string, number>()

  /** `life` names this memory, and no other life of it. */
  constructor(life: string) {
    this.#ledger = new OutcomeLedger(life)
  }

  /** Files a holder's report. */
  note(report: HolderReport, nowMs: number): void {
    const outcomes = this.#holders.file(report, nowMs)
    this.#permits.heard(report.holder, report.permits, nowMs)
    for (const counts of outcomes?.workers ?? []) this.#ledger.add(counts)
    for (const { workerId, atMs } of report.unreachable) {
      this.#unreachable.set(workerId, Math.max(atMs, this.#unreachable.get(workerId) ?? atMs))
    }
    for (const [workerId, quietMs] of report.quietMs) {
      const atMs = nowMs - quietMs
      this.#lastByteAtMs.set(workerId, Math.max(atMs, this.#lastByteAtMs.get(workerId) ?? atMs))
    }
  }

  /** Everything below, as one holder's report to the state above. */
  aggregate(name: string, given: Pick<HolderReport, 'ticketsWanted' | 'wantsPermits'>, nowMs: number): HolderReport {
    this.#holders.dropDead(nowMs)
    const work = this.#holders.work((candidateId) => candidateId)
    return {
      holder: name,
      inFlight: this.#holders.sum(new Map(), null),
      quietMs: this.#quietMs(nowMs),
      unheardMs: new Map(Array.from(work, ([candidateId, { provenUntilMs }]) => [candidateId, nowMs - provenUntilMs])),
      unreachable: Array.from(this.#unreachable, ([workerId, atMs]) => ({ workerId, atMs })),
      outcomes: this.#ledger.batch(),
      permits: this.#permits.list(nowMs),
      isUrgent: false,
      ...given,
    }
  }

  /** Takes in what the state above answered. */
  adopt(snapshot: FleetSnapshot, { report, askedAtMs, nowMs }: Asked): void {
    this.#above = snapshot
    this.#aboveAtMs = askedAtMs - snapshot.ageMs
    this.#turns.accept(snapshot.tickets)
    for (const permit of snapshot.permits) this.#permits.add(permit, null, nowMs)
    this.#ledger.markDelivered(report.outcomes)
    for (const { workerId, atMs } of report.unreachable) {
      if (this.#unreachable.get(workerId) === atMs) this.#unreachable.delete(workerId)
    }
  }

  /** The state of the pool as the holder that reported should see it. */
  snapshotFor({ holder, ticketsWanted, wantsPermits }: HolderReport, nowMs: number): FleetSnapshot {
    const above = this.#above
    const leased = new Map<string, TicketBlock>()
    for (const [key, wanted] of withModels(ticketsWanted, this.workers()))
      if (this.hasTurns(key)) leased.set(key, this.#turns.lease(key, wanted))
    const permits: readonly ProbePermit[] = wantsPermits ? this.#permits.claim(holder, nowMs) : []
    return {
      takenAtMs: above?.takenAtMs ?? nowMs,
      config: above?.config ?? null,
      ageMs: above === null ? 0 : Math.max(0, nowMs - this.#aboveAtMs),
      workers: this.workers(),
      inFlightElsewhere: this.#holders.sum(above?.inFlightElsewhere ?? new Map(), holder),
      tickets: leased,
      permits,
      ...(above?.lmcache === undefined ? {} : { lmcache: above.lmcache }),
      ...(above?.purges === undefined ? {} : { purges: above.purges }),
    }
  }

  /** Workers as the state above has them; a report it has not heard yet makes one suspect here already. */
  workers(): readonly WorkerState[] {
    const workers = this.#above?.workers ?? []
    return this.#unreachable.size === 0 ? workers : workers.map((worker) => this.#withNews(worker))
  }

  /** Turns are handed on for models that exist, and for requests without one. */
  hasTurns(key: string): boolean {
    return (
      key === '' ||
      this.#turns.has(key) ||
      (this.#above?.workers.some(({ models }) => models?.includes(key) ?? false) ?? false)
    )
  }

  turnsLeft(key: string): number {
    return this.#turns.left(key)
  }

  #quietMs(nowMs: number): ReadonlyMap<string, number> {
    const quietMs = new Map<string, number>()
    for (const [workerId, atMs] of this.#lastByteAtMs) {
      if (nowMs - atMs <= LEASE_TTL_MS) quietMs.set(workerId, nowMs - atMs)
      else this.#lastByteAtMs.delete(workerId)
    }
    return quietMs
  }

  /** A request's word is weaker than whatever else took a worker out, and than a look at it since. */
  #withNews(worker: WorkerState): WorkerState {
    const atMs = this.#unreachable.get(worker.workerId)
    const isUsual = worker.availability === 'up' || worker.availability === 'unknown'
    if (atMs === undefined || !isUsual || (worker.checkedAtMs ?? atMs) > atMs) return worker
    return { ...worker, availability: 'suspect', reason: 'request_failed', sinceMs: atMs, checkedAtMs: atMs }
  }
}
