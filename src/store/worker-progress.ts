// Whether a worker that has requests gets anywhere with them: bytes that reach anybody, tokens that its own metrics
// count. One that does neither for long hangs, whatever its health endpoint says.

import type { WorkerLoad } from './fleet-store.ts'

/** What holders together know of a worker's running requests. */
export interface RunningWork {
  readonly isRunning: boolean
  /** Until when everybody who has requests there has reported: later silence is not proven. */
  readonly provenUntilMs: number
}

export class WorkerProgress {
  #runningSinceMs: number | null = null
  #provenUntilMs = Number.NEGATIVE_INFINITY
  #lastByteAtMs = Number.NEGATIVE_INFINITY
  #tokensTotal: number | null = null
  #tokensGrewAtMs = Number.NEGATIVE_INFINITY
  /** When the metrics were last read; null when the last probe could not. */
  #readAtMs: number | null = null

  noteRunning({ isRunning, provenUntilMs }: RunningWork, nowMs: number): void {
    this.#provenUntilMs = provenUntilMs
    if (!isRunning) this.#runningSinceMs = null
    else this.#runningSinceMs ??= nowMs
  }

  noteByte(atMs: number): void {
    this.#lastByteAtMs = Math.max(this.#lastByteAtMs, atMs)
  }

  /** A count that fell is that of a worker that has started anew. */
  noteLoad(load: WorkerLoad | null): void {
    if (load === null || load.tokensTotal === null) {
      this.#readAtMs = null
      return
    }
    this.#readAtMs = load.atMs
    if (load.tokensTotal !== this.#tokensTotal) this.#tokensGrewAtMs = load.atMs
    this.#tokensTotal = load.tokensTotal
  }

  /** Whether it has had requests for `stallMs` and everybody who would know saw nothing come of them. */
  isStalled(stallMs: number): boolean {
    if (this.#runningSinceMs === null) return false
    const lastSignMs = Math.max(this.#runningSinceMs, this.#lastByteAtMs, this.#tokensGrewAtMs)
    // Metrics that can't be read prove nothing in either direction.
    const seenUntilMs = Math.min(this.#provenUntilMs, this.#readAtMs ?? Number.POSITIVE_INFINITY)
    return seenUntilMs - lastSignMs >= stallMs
  }

  /** Counts from now: what came before has been acted upon. */
  restart(nowMs: number): void {
    if (this.#runningSinceMs !== null) this.#runningSinceMs = nowMs
  }
}
