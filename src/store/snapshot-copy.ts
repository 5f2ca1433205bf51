// The last snapshot that a process or isolate got, and how old what it says may be.

import type { FleetSnapshot } from './fleet-store.ts'

/** A snapshot older than this is refreshed beside the request that noticed. */
export const REFRESH_AFTER_MS = 1_000

/** A snapshot that may be older than this is refreshed before deciding: what the fleet decided so long ago is known. */
export const TOO_OLD_MS = 2_000

/**
 * The most that a snapshot's age may count against it on arrival: a store that is slow to answer must not make each
 * request wait for it.
 */
const MAX_AGE_ON_ARRIVAL_MS = 1_000

export class SnapshotCopy {
  #snapshot: FleetSnapshot | null = null
  #drained: ReadonlySet<string> = new Set()
  /** When the snapshot came. */
  #adoptedAtMs = Number.NEGATIVE_INFINITY
  /** From when its next refresh is reckoned: when it came, or earlier to have it soon. */
  #receivedAtMs = Number.NEGATIVE_INFINITY
  /** Since when it may not be true any more. */
  #trueAtMs = Number.NEGATIVE_INFINITY
  /** When it was taken, or somewhat earlier. */
  #takenAtMs = Number.NEGATIVE_INFINITY

  get snapshot(): FleetSnapshot | null {
    return this.#snapshot
  }

  /** Whether an operator is taking a worker out, or has. */
  isDrained(workerId: string): boolean {
    return this.#drained.has(workerId)
  }

  /** How long ago it was taken, at most, by the clock of this process or isolate. */
  ageMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#takenAtMs)
  }

  /** Whether it is time to ask for another. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#receivedAtMs > REFRESH_AFTER_MS
  }

  /** Whether no decision may be made on it while another can be had. */
  isTooOld(nowMs: number): boolean {
    return nowMs - this.#trueAtMs > TOO_OLD_MS
  }

  /** Makes it due. */
  refreshSoon(nowMs: number): void {
    this.#receivedAtMs = Math.min(this.#receivedAtMs, nowMs - REFRESH_AFTER_MS)
  }

  /** Takes the answer to a question that was asked at `askedAtMs`. */
  adopt(fresh: FleetSnapshot, askedAtMs: number, nowMs: number): void {
    // Two questions may be under way at once; the older answer must not overwrite the newer. One that was asked for
    // after the newer had come is no such case: the object has moved to a machine whose clock is behind.
    const wasUnderWay = askedAtMs <= this.#adoptedAtMs
    if (this.#snapshot !== null && wasUnderWay && fresh.takenAtMs < this.#snapshot.takenAtMs) return
    this.#snapshot = fresh
    this.#drained = new Set(fresh.workers.filter(({ drain }) => drain !== null).map(({ workerId }) => workerId))
    this.#adoptedAtMs = nowMs
    this.#receivedAtMs = nowMs
    this.#takenAtMs = askedAtMs - fresh.ageMs
    this.#trueAtMs = Math.max(this.#takenAtMs, nowMs - MAX_AGE_ON_ARRIVAL_MS)
  }
}
