// Every worker of the pool with what is held for and against it: who belongs to the pool, whose news is whose, and what is
// worth keeping.

import type { WorkerConfig } from '../config/config.ts'
import type { OutcomeBatch, WorkerObservation, WorkerState } from './fleet-store.ts'
import type { WorkerLoadBelow } from './holder-book.ts'
import { candidateIdsOf } from './fleet-roster.ts'
import { type HealthSettings, WorkerHealth, type WorkerMemo } from './worker-health.ts'

/** What of a configuration the state of the fleet depends on; a whole `Config` is one. */
export interface FleetConfig extends Omit<HealthSettings, 'drainSettleMs'> {
  readonly workers: readonly Pick<WorkerConfig, 'id' | 'url' | 'dataParallelSize'>[]
}

/** What to keep of one worker for another life; null for one that is gone. */
export interface KeptWorker {
  readonly workerId: string
  readonly memo: (WorkerMemo & { readonly url: string }) | null
}

interface Member {
  readonly url: string
  readonly health: WorkerHealth
  keptRevision: number
}

export class FleetHealth {
  readonly #drainSettleMs: number
  readonly #members = new Map<string, Member>()
  #workerOf = new Map<string, string>()
  /** Workers that left and whose memo is still kept. */
  readonly #left = new Set<string>()
  /** Above every epoch that a worker which left has used. */
  #lowestEpoch = 0

  /** `drainSettleMs`: how long a router may go on sending work to a drained worker, or leave work unreported. */
  constructor(drainSettleMs: number) {
    this.#drainSettleMs = drainSettleMs
  }

  /**
   * The pool is these workers from now on. A worker that stays goes on as it is; one that is new, or has another address,
   * starts anew.
   */
  configure({ workers, health: config, breaker }: FleetConfig, nowMs: number): void {
    const settings: HealthSettings = { health: config, breaker, drainSettleMs: this.#drainSettleMs }
    const wanted = new Map(workers.map((worker) => [worker.id, worker]))
    for (const [workerId, { url, health }] of this.#members) {
      if (wanted.get(workerId)?.url === url) continue
      this.#lowestEpoch = Math.max(this.#lowestEpoch, health.epoch + 1)
      this.#members.delete(workerId)
      this.#left.add(workerId)
    }
    for (const { id, url } of wanted.values()) {
      const known = this.#members.get(id)
      if (known !== undefined) {
        known.health.configure(settings, nowMs)
        continue
      }
      const epoch = Math.max(nowMs, this.#lowestEpoch)
      this.#members.set(id, { url, health: new WorkerHealth(id, settings, { epoch, nowMs }), keptRevision: 0 })
      this.#left.delete(id)
    }
    this.#workerOf = new Map(
      workers.flatMap((worker) => candidateIdsOf(worker).map((candidateId) => [candidateId, worker.id])),
    )
  }

  /** The worker behind a candidate. */
  readonly workerOf = (candidateId: string): string => this.#workerOf.get(candidateId) ?? candidateId

  observe(observations: readonly WorkerObservation[]): void {
    for (const observation of observations) this.#of(observation.workerId)?.observe(observation)
  }

  lookAnew(): void {
    for (const { health } of this.#members.values()) health.lookAnew()
  }

  noteUnreachable(workerId: string, atMs: number): void {
    this.#of(workerId)?.noteUnreachable(atMs)
  }

  noteOutcomes({ workers }: OutcomeBatch, nowMs: number): void {
    for (const outcomes of workers) this.#of(outcomes.workerId)?.noteOutcomes(outcomes, nowMs)
  }

  noteByte(workerId: string, atMs: number): void {
    this.#of(workerId)?.noteByte(atMs)
  }

  noteWork(work: ReadonlyMap<string, WorkerLoadBelow>, nowMs: number): void {
    for (const [workerId, { health }] of this.#members) health.noteWork(work.get(workerId), nowMs)
  }

  drain(workerId: string, deadlineMs: number, nowMs: number): void {
    this.#of(workerId)?.drain(deadlineMs, nowMs)
  }

  undrain(workerId: string, nowMs: number): void {
    this.#of(workerId)?.undrain(nowMs)
  }

  /** Workers that may be sent requests to see whether they have recovered, and how many at a time. */
  *tried(nowMs: number): Iterable<{ readonly workerId: string; readonly allowed: number }> {
    for (const [workerId, { health }] of this.#members) {
      const allowed = health.probesAllowed(nowMs)
      if (allowed > 0) yield { workerId, allowed }
    }
  }

  states(nowMs: number): readonly WorkerState[] {
    return Array.from(this.#members.values(), ({ health }) => health.state(nowMs))
  }

  /** What has changed since this was last asked, to be kept for another life. */
  takeChanges(): readonly KeptWorker[] {
    const changes: KeptWorker[] = Array.from(this.#left, (workerId) => ({ workerId, memo: null }))
    this.#left.clear()
    for (const [workerId, member] of this.#members) {
      if (member.health.revision === member.keptRevision) continue
      member.keptRevision = member.health.revision
      changes.push({ workerId, memo: { ...member.health.memo(), url: member.url } })
    }
    return changes
  }

  /** Goes on from an earlier life; what was kept of a worker that is no longer here, or elsewhere, is dropped. */
  resume(kept: readonly KeptWorker[]): void {
    for (const { workerId, memo } of kept) {
      const member = this.#members.get(workerId)
      if (memo !== null && member?.url === memo.url) member.health.resume(memo)
      else this.#left.add(workerId)
    }
  }

  #of(workerId: string): WorkerHealth | undefined {
    return this.#members.get(workerId)?.health
  }
}
