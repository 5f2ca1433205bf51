// What this process's or isolate's own requests found out about workers that did not answer, until a probe knows better.

import type { HolderReport, WorkerState } from './fleet-store.ts'

/** Failures in a row, of requests that may have reached the worker, after which it is suspect. */
const FAILURES_UNTIL_SUSPECT = 2

type Report = HolderReport['unreachable'][number]

export class FailureWatch {
  readonly #now: () => number
  readonly #suspectSinceMs = new Map<string, number>()
  readonly #failuresInRow = new Map<string, number>()
  readonly #busyUntilMs = new Map<string, number>()
  /** Workers others have not been told of yet, with the last time: one line each, however long nobody can be told. */
  #unreported = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * A request failed before its answer began. One that surely never left speaks against the worker; one that may
   * have been sent could be a single broken connection. Returns true when the worker is suspect now.
   */
  noteFailure(workerId: string, phase: 'not_sent' | 'maybe_sent'): boolean {
    const failures = (this.#failuresInRow.get(workerId) ?? 0) + 1
    this.#failuresInRow.set(workerId, failures)
    if (phase === 'maybe_sent' && failures < FAILURES_UNTIL_SUSPECT) return false
    const atMs = this.#now()
    this.#suspectSinceMs.set(workerId, atMs)
    this.#unreported.set(workerId, atMs)
    return true
  }

  noteAnswer(workerId: string): void {
    this.#failuresInRow.delete(workerId)
  }

  /** The worker asked to be left alone for a while (`Retry-After`). */
  noteBusy(workerId: string, waitMs: number): void {
    this.#busyUntilMs.set(workerId, this.#now() + waitMs)
  }

  /** Whether a worker's own wish to be left alone still stands. */
  isBusy(workerId: string): boolean {
    const untilMs = this.#busyUntilMs.get(workerId)
    if (untilMs === undefined) return false
    if (untilMs > this.#now()) return true
    this.#busyUntilMs.delete(workerId)
    return false
  }

  /** Whether our own evidence speaks against a worker; a look at the worker later than that evidence overrules it. */
  isSuspect(workerId: string, state: WorkerState | undefined): boolean {
    const sinceMs = this.#suspectSinceMs.get(workerId)
    if (sinceMs === undefined) return false
    const checkedAtMs = state?.checkedAtMs ?? null
    if (checkedAtMs === null || checkedAtMs <= sinceMs) return true
    this.#suspectSinceMs.delete(workerId)
    return false
  }

  /** What others have not been told yet. */
  takeReports(): readonly Report[] {
    const reports = Array.from(this.#unreported, ([workerId, atMs]) => ({ workerId, atMs }))
    this.#unreported = new Map()
    return reports
  }

  /** Reports that could not be delivered, to be told with the next ones. */
  putBack(reports: readonly Report[]): void {
    for (const { workerId, atMs } of reports) {
      this.#unreported.set(workerId, Math.max(atMs, this.#unreported.get(workerId) ?? atMs))
    }
  }
}
