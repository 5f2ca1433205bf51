// A circuit breaker for calls to one service: lets them through while they work, none for a while after several failed in
// a row, then one to see. The state machine is the one of workers; what a call is, and when it has failed, is its owner's.

import type { BreakerState as State } from '../store/fleet-store.ts'
import { WorkerBreaker } from '../store/worker-breaker.ts'

export type BreakerState = State['state']

export interface BreakerOptions {
  now(): number
  /** Failures in a row that open it. */
  readonly failuresToOpen?: number
  /** How long it stays open, and how long a probe that never reports keeps others out. */
  readonly openMs?: number
}

/** Leave to make one call. The first report counts, later ones do nothing. */
export interface BreakerPermit {
  succeeded(): void
  failed(): void
  /** The call said nothing about the other side: its caller left, or it was never sent. */
  calledOff(): void
}

export interface Breaker {
  /** Null when the call must not be made. */
  enter(): BreakerPermit | null
  state(): BreakerState
}

export const FAILURES_TO_OPEN = 5
export const OPEN_MS = 10_000

export function createBreaker(options: BreakerOptions): Breaker {
  return new ServiceBreaker(options)
}

/** The call that is out to see whether a service has recovered. */
interface Probe {
  readonly sinceMs: number
}

class ServiceBreaker implements Breaker {
  readonly #now: () => number
  readonly #openMs: number
  readonly #breaker: WorkerBreaker
  #probe: Probe | null = null

  constructor({ now, failuresToOpen = FAILURES_TO_OPEN, openMs = OPEN_MS }: BreakerOptions) {
    this.#now = now
    this.#openMs = openMs
    // Failures in a row alone count, one success is enough, and it stays open for the same time each time.
    const config = { failureThreshold: failuresToOpen, successThreshold: 1, openMs, halfOpenProbes: 1 }
    const noErrorRate = { windowMs: openMs, errorRate: 1, minimumVolume: Number.POSITIVE_INFINITY }
    this.#breaker = new WorkerBreaker({ ...config, ...noErrorRate }, { epoch: 0, maxOpenMs: openMs })
  }

  state(): BreakerState {
    return this.#breaker.phase(this.#now())
  }

  enter(): BreakerPermit | null {
    const nowMs = this.#now()
    const phase = this.#breaker.phase(nowMs)
    if (phase === 'open') return null
    if (phase === 'closed') return this.#permit(null)
    // A probe whose runtime dies with its request never reports, so the wait for it ends.
    if (this.#probe !== null && nowMs < this.#probe.sinceMs + this.#openMs) return null
    this.#probe = { sinceMs: nowMs }
    return this.#permit(this.#probe)
  }

  #permit(probe: Probe | null): BreakerPermit {
    const { epoch } = this.#breaker
    let isReported = false
    const once = (counts: { readonly oks: number; readonly faults: number }) => () => {
      const isForgotten = probe !== null && probe !== this.#probe
      if (isReported || isForgotten) return
      isReported = true
      if (probe !== null) this.#probe = null
      this.#breaker.note({ epoch, ...counts, faultsInRow: counts.faults }, this.#now())
    }
    return {
      succeeded: once({ oks: 1, faults: 0 }),
      failed: once({ oks: 0, faults: 1 }),
      calledOff: once({ oks: 0, faults: 0 }),
    }
  }
}
