// A circuit breaker: lets calls through while they work, none for a while after several failed in a row, then one to see.
// A state machine over an injected clock: it starts no timer, and what a call is, and when it has failed, is its owner's.

export type BreakerState = 'closed' | 'open' | 'half_open'

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
  return new ConsecutiveFailuresBreaker(options)
}

class ConsecutiveFailuresBreaker implements Breaker {
  readonly #now: () => number
  readonly #failuresToOpen: number
  readonly #openMs: number
  #failures = 0
  /** When the breaker may be tried again; null while it is closed. */
  #retryAtMs: number | null = null
  /** Changes with every opening and closing, so that calls let through before say nothing about what came after. */
  #epoch = 0

  constructor({ now, failuresToOpen = FAILURES_TO_OPEN, openMs = OPEN_MS }: BreakerOptions) {
    this.#now = now
    this.#failuresToOpen = failuresToOpen
    this.#openMs = openMs
  }

  state(): BreakerState {
    if (this.#retryAtMs === null) return 'closed'
    return this.#now() < this.#retryAtMs ? 'open' : 'half_open'
  }

  enter(): BreakerPermit | null {
    if (this.#retryAtMs === null) return this.#permit(false)
    if (this.#now() < this.#retryAtMs) return null
    // Others wait as if it had opened again. A probe whose runtime dies with its request never reports, so the wait ends.
    this.#retryAtMs = this.#now() + this.#openMs
    this.#epoch += 1
    return this.#permit(true)
  }

  #permit(isProbe: boolean): BreakerPermit {
    const epoch = this.#epoch
    let isReported = false
    const once = (report: () => void) => () => {
      if (isReported || epoch !== this.#epoch) return
      isReported = true
      report()
    }
    return {
      succeeded: once(() => this.#close()),
      failed: once(() => this.#noteFailure(isProbe)),
      calledOff: once(() => {
        if (isProbe) this.#retryAtMs = this.#now()
      }),
    }
  }

  #close(): void {
    this.#failures = 0
    if (this.#retryAtMs === null) return
    this.#retryAtMs = null
    this.#epoch += 1
  }

  #noteFailure(isProbe: boolean): void {
    this.#failures += 1
    if (!isProbe && this.#failures < this.#failuresToOpen) return
    this.#retryAtMs = this.#now() + this.#openMs
    this.#epoch += 1
  }
}
