// One meter of a tenant as a holder keeps it: what it was leased, what it used, what it is likely to use next, and until
// when the store has nothing for it.

import type { Holding, MeterLease, MeterReport } from './limit-report.ts'
import type { MeterLimit } from './meters.ts'

/** Demand is counted in windows of this length; the last two stand for the second to come. */
const WINDOW_MS = 500

/** Leases this much larger than what is expected go back in part. */
const SURPLUS_FACTOR = 2

export interface MeterStanding {
  readonly limit: number
  readonly remaining: number
  /** Until all of it is there again, if nothing is used; 0 for what doesn't come back by time. */
  readonly resetMs: number
}

export class MeterBook implements Holding {
  granted = 0
  returned = 0
  used = 0
  refunded = 0
  #deniedUntilMs = 0
  /** What nobody had leased, when the store last said so. */
  #free: { readonly amount: number; readonly atMs: number } | null = null
  /** Refunds that the store has been told of. */
  #refundsTold = 0
  #window = { startMs: 0, demand: 0, before: 0 }

  left(): number {
    return this.granted - this.returned - this.used
  }

  /** Notes that a request came that takes so much, whether or not it gets it. */
  noteDemand(amount: number, nowMs: number): void {
    this.#rollWindow(nowMs)
    this.#window.demand += amount
  }

  /** What is likely to be used in the second to come. */
  expected(nowMs: number): number {
    this.#rollWindow(nowMs)
    return Math.ceil(this.#window.demand + this.#window.before)
  }

  giveBackAll(): void {
    this.returned += Math.max(0, this.left())
  }

  /** Keeps what requests wait for, and what is likely to be used. */
  giveBackSurplus(needed: number, nowMs: number): void {
    const spare = this.left() - needed
    const expected = this.expected(nowMs)
    if (spare > SURPLUS_FACTOR * expected) this.returned += spare - expected
  }

  toReport(asked: Pick<MeterReport, 'needed' | 'whole' | 'expected'>): MeterReport {
    const { granted, returned, used, refunded } = this
    this.#refundsTold = refunded
    return { granted, returned, used, refunded, ...asked }
  }

  accept({ granted, returned, free, retryAfterMs }: MeterLease, nowMs: number): void {
    this.granted = Math.max(this.granted, granted)
    this.returned = Math.max(this.returned, returned)
    this.#free = { amount: free, atMs: nowMs }
    if (retryAfterMs !== null) this.#deniedUntilMs = nowMs + retryAfterMs
    else if (free >= 1) this.#deniedUntilMs = 0
  }

  /** Under other limits the store may have something. */
  forgetDenial(): void {
    this.#deniedUntilMs = 0
  }

  /** How long it makes no sense to ask the store; 0 when it may have something. */
  deniedMs(nowMs: number): number {
    return Math.max(0, this.#deniedUntilMs - nowMs)
  }

  /** Whether the store had less than this to lease when it was last asked. */
  isScarce(least: number): boolean {
    return this.#free !== null && this.#free.amount < least
  }

  standing({ capacity, refillPerMs }: MeterLimit, nowMs: number): MeterStanding {
    const own = Math.max(0, this.left()) + this.refunded - this.#refundsTold
    const refilled = this.#free === null ? 0 : (nowMs - this.#free.atMs) * refillPerMs
    const free = this.#free === null ? capacity : Math.min(capacity - own, this.#free.amount + refilled)
    const remaining = free + own
    return {
      limit: Math.floor(capacity),
      remaining: Math.max(0, Math.floor(remaining)),
      resetMs: refillPerMs === 0 ? 0 : Math.max(0, (capacity - remaining) / refillPerMs),
    }
  }

  #rollWindow(nowMs: number): void {
    const { startMs, demand } = this.#window
    if (nowMs - startMs < WINDOW_MS) return
    this.#window = { startMs: nowMs, demand: 0, before: nowMs - startMs < 2 * WINDOW_MS ? demand : 0 }
  }
}
