// Who holds leases below a state, and what each last reported. The last report counts; one that stays away is taken for
// dead.

import type { HolderReport, OutcomeBatch } from './fleet-store.ts'
import type { RunningWork } from './worker-progress.ts'

/** A holder that has not reported for this long is taken for dead, and what it had in flight is forgotten. */
export const LEASE_TTL_MS = 60_000

interface Holder {
  readonly inFlight: ReadonlyMap<string, number>
  readonly unheardMs: ReadonlyMap<string, number>
  readonly reportedAtMs: number
  /** The last batch of outcomes that was taken in. */
  readonly taken: Pick<OutcomeBatch, 'sender' | 'seq'> | null
}

/** What runs on one worker, over all holders. */
export interface WorkerLoadBelow extends RunningWork {
  readonly inFlight: number
}

export class HolderBook {
  readonly #holders = new Map<string, Holder>()

  /** Files a report. Returns the outcomes in it that have not been taken in before; null when there are none. */
  file({ holder, inFlight, unheardMs, outcomes }: HolderReport, nowMs: number): OutcomeBatch | null {
    this.dropDead(nowMs)
    const taken = this.#holders.get(holder)?.taken ?? null
    const isNew = outcomes !== null && (outcomes.sender !== taken?.sender || outcomes.seq > taken.seq)
    const latest = isNew ? { sender: outcomes.sender, seq: outcomes.seq } : taken
    this.#holders.set(holder, { inFlight, unheardMs, reportedAtMs: nowMs, taken: latest })
    return isNew ? outcomes : null
  }

  dropDead(nowMs: number): void {
    for (const [name, holder] of this.#holders) {
      if (nowMs - holder.reportedAtMs > LEASE_TTL_MS) this.#holders.delete(name)
    }
  }

  forget(holder: string): void {
    this.#holders.delete(holder)
  }

  /** In flight by candidate, added to `start`; `exceptHolder` is left out. */
  sum(start: ReadonlyMap<string, number>, exceptHolder: string | null): ReadonlyMap<string, number> {
    const sum = new Map(start)
    for (const [name, { inFlight }] of this.#holders) {
      if (name === exceptHolder) continue
      for (const [candidate, count] of inFlight) sum.set(candidate, (sum.get(candidate) ?? 0) + count)
    }
    return sum
  }

  /** What runs, by worker; `workerOf` gives a candidate's worker. Workers with nothing are left out. */
  work(workerOf: (candidateId: string) => string): ReadonlyMap<string, WorkerLoadBelow> {
    const work = new Map<string, WorkerLoadBelow>()
    for (const { inFlight, unheardMs, reportedAtMs } of this.#holders.values()) {
      for (const [candidate, count] of inFlight) {
        const workerId = workerOf(candidate)
        const provenUntilMs = reportedAtMs - (unheardMs.get(candidate) ?? 0)
        const known = work.get(workerId)
        work.set(workerId, {
          isRunning: true,
          inFlight: (known?.inFlight ?? 0) + count,
          provenUntilMs: Math.min(provenUntilMs, known?.provenUntilMs ?? Number.POSITIVE_INFINITY),
        })
      }
    }
    return work
  }
}
