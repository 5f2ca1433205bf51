// How many extra requests may be sent: a share of the requests of a sliding window, so that retries can't double an
// outage. Counted per process or isolate; each keeps its own share, and so do all of them together.

/** Slices of the window; one slice's worth of time is forgotten at once. */
const SLICES = 10

export interface RetryBudgetOptions {
  /** Extra requests allowed per request, such as 0.2. */
  readonly ratio: number
  readonly windowMs: number
  /** Extra requests allowed per window however few requests there are, so that a quiet router can retry at all. */
  readonly minExtra: number
}

interface Slice {
  index: number
  requests: number
  extra: number
}

export class RetryBudget {
  readonly #options: RetryBudgetOptions
  readonly #now: () => number
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({ index: -1, requests: 0, extra: 0 }))

  constructor(options: RetryBudgetOptions, now: () => number) {
    this.#options = options
    this.#now = now
  }

  /** A request came in. */
  noteRequest(): void {
    this.#current().requests += 1
  }

  /** Takes one extra request from the budget. False when there is none left: then it must not be sent. */
  take(): boolean {
    if (!this.hasRoom()) return false
    this.#current().extra += 1
    return true
  }

  /** Whether one could be taken now. */
  hasRoom(): boolean {
    const { requests, extra } = this.#sum(this.#current().index)
    return extra + 1 <= Math.max(this.#options.minExtra, this.#options.ratio * requests)
  }

  #sum(newest: number): { readonly requests: number; readonly extra: number } {
    const counted = this.#slices.filter((slice) => slice.index > newest - SLICES)
    return {
      requests: counted.reduce((sum, slice) => sum + slice.requests, 0),
      extra: counted.reduce((sum, slice) => sum + slice.extra, 0),
    }
  }

  #current(): Slice {
    const index = Math.floor((this.#now() * SLICES) / this.#options.windowMs)
    const slice = this.#slices[index % SLICES] ?? { index, requests: 0, extra: 0 }
    if (slice.index !== index) {
      slice.index = index
      slice.requests = 0
      slice.extra = 0
    }
    return slice
  }
}
