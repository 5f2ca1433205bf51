// The breaker of one worker: what requests met there decides whether it gets more of them. Closed until faults in a row,
// too high a share of faults, or no progress trip it; then open for a while; then half open, until successes close it.
// A state machine over the times it is given: no clock, no timer, no I/O.

import type { BreakerConfig } from '../config/config.ts'
import type { BreakerState, WorkerOutcomes } from './fleet-store.ts'
import { OutcomeWindow } from './outcome-window.ts'

export type TripCause = 'faults_in_row' | 'error_rate' | 'no_progress'

/** The longest a breaker stays open, however often it has opened again. */
export const MAX_OPEN_MS = 5 * 60_000

/** Times and counts for a worker that hangs while breakers are switched off: it must still find its way back. */
const WITHOUT_BREAKER = { openMs: 10_000, windowMs: 30_000, successThreshold: 2, halfOpenProbes: 1 } as const

interface Trip {
  readonly cause: TripCause
  readonly openMs: number
  readonly retryAtMs: number
}

/** What of a breaker outlives the memory it is kept in. */
export interface BreakerMemo {
  readonly epoch: number
  readonly trip: Trip | null
}

export interface BreakerOptions {
  /** Any number that no earlier worker of the same id has used. */
  readonly epoch: number
  readonly maxOpenMs?: number
}

export class WorkerBreaker {
  readonly #maxOpenMs: number
  #config: BreakerConfig | null
  /** Rises with every opening and closing: results of attempts begun before say nothing about what came after. */
  #epoch: number
  #trip: Trip | null = null
  #faultsInRow = 0
  /** Successes since it is half open. */
  #successes = 0
  readonly #window: OutcomeWindow

  constructor(config: BreakerConfig | null, { epoch, maxOpenMs = MAX_OPEN_MS }: BreakerOptions) {
    this.#config = config
    this.#epoch = epoch
    this.#maxOpenMs = maxOpenMs
    this.#window = new OutcomeWindow((config ?? WITHOUT_BREAKER).windowMs)
  }

  /** Other settings, the same history. Switched off, it lets go of what it held against the worker. */
  configure(config: BreakerConfig | null): void {
    this.#config = config
    this.#window.resize((config ?? WITHOUT_BREAKER).windowMs)
    if (config === null && this.#trip !== null && this.#trip.cause !== 'no_progress') this.#close()
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Why it is not closed; null while it is. */
  get cause(): TripCause | null {
    return this.#trip?.cause ?? null
  }

  phase(nowMs: number): BreakerState['state'] {
    if (this.#trip === null) return 'closed'
    return nowMs < this.#trip.retryAtMs ? 'open' : 'half_open'
  }

  /** Requests that may be on their way at a time while it is half open. */
  halfOpenProbes(): number {
    return (this.#config ?? WITHOUT_BREAKER).halfOpenProbes
  }

  state(nowMs: number): BreakerState {
    const { volume, errorRate } = this.#window.rate(nowMs)
    return {
      state: this.phase(nowMs),
      retryAtMs: this.#trip?.retryAtMs ?? null,
      errorRate: volume < (this.#config?.minimumVolume ?? 1) ? null : errorRate,
    }
  }

  /** Takes in how attempts ended. */
  note(
    { epoch, oks, faults, faultsInRow }: Pick<WorkerOutcomes, 'epoch' | 'oks' | 'faults' | 'faultsInRow'>,
    nowMs: number,
  ): void {
    if (epoch !== this.#epoch || oks + faults === 0) return
    this.#faultsInRow = oks === 0 ? this.#faultsInRow + faults : faultsInRow
    if (this.#trip === null) return this.#noteClosed(oks, faults, nowMs)
    if (this.phase(nowMs) === 'half_open') return this.#noteHalfOpen(oks, faults, nowMs)
    // Only a worker out for its error rate is still sent requests, under panic: it may turn out to be gone.
    if (this.#hasFaultsInRow()) this.#open('faults_in_row', this.#trip.openMs, nowMs)
  }

  /** Opens it for something that no single attempt shows. Open already, it stays as it is. */
  trip(cause: TripCause, nowMs: number): void {
    if (this.phase(nowMs) !== 'open') this.#open(cause, this.#nextOpenMs(), nowMs)
  }

  memo(): BreakerMemo {
    return { epoch: this.#epoch, trip: this.#trip }
  }

  resume({ epoch, trip }: BreakerMemo): void {
    this.#epoch = epoch
    this.#trip = trip
  }

  #noteClosed(oks: number, faults: number, nowMs: number): void {
    const config = this.#config
    if (config === null) return
    this.#window.add(oks, faults, nowMs)
    if (this.#hasFaultsInRow()) return this.#open('faults_in_row', config.openMs, nowMs)
    const { volume, errorRate } = this.#window.rate(nowMs)
    const isTooMuch = faults > 0 && volume >= config.minimumVolume && errorRate >= config.errorRate
    if (isTooMuch) this.#open('error_rate', config.openMs, nowMs)
  }

  #noteHalfOpen(oks: number, faults: number, nowMs: number): void {
    // Back to where it was, whatever the fault: the cause decides whether panic may use it, and one fault is no more.
    if (faults > 0) return this.#open(this.#trip?.cause ?? 'faults_in_row', this.#nextOpenMs(), nowMs)
    this.#successes += oks
    if (this.#successes >= (this.#config ?? WITHOUT_BREAKER).successThreshold) this.#close()
  }

  #hasFaultsInRow(): boolean {
    return this.#config !== null && this.#faultsInRow >= this.#config.failureThreshold
  }

  /** Twice as long each time it opens without having closed. */
  #nextOpenMs(): number {
    const usual = (this.#config ?? WITHOUT_BREAKER).openMs
    return this.#trip === null ? usual : Math.max(usual, Math.min(2 * this.#trip.openMs, this.#maxOpenMs))
  }

  #open(cause: TripCause, openMs: number, nowMs: number): void {
    this.#trip = { cause, openMs, retryAtMs: nowMs + openMs }
    this.#startAnew()
  }

  #close(): void {
    this.#trip = null
    this.#window.clear()
    this.#startAnew()
  }

  #startAnew(): void {
    this.#epoch += 1
    this.#faultsInRow = 0
    this.#successes = 0
  }
}
