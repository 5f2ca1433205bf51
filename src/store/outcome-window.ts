// How many attempts of late went well and how many failed: a rolling window in buckets, so that its memory is bounded
// whatever the traffic.

const BUCKETS = 10

interface Bucket {
  readonly at: number
  oks: number
  faults: number
}

export class OutcomeWindow {
  #bucketMs: number
  #buckets: Bucket[] = []

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS
  }

  /** Another length; what was counted under the old one is forgotten. */
  resize(windowMs: number): void {
    if (this.#bucketMs === windowMs / BUCKETS) return
    this.#bucketMs = windowMs / BUCKETS
    this.#buckets = []
  }

  add(oks: number, faults: number, nowMs: number): void {
    const at = this.#prune(nowMs)
    const last = this.#buckets.at(-1)
    if (last?.at === at) {
      last.oks += oks
      last.faults += faults
    } else {
      this.#buckets.push({ at, oks, faults })
    }
  }

  /** Attempts in the window, and the share of them that failed; 0 of 0 is no failure. */
  rate(nowMs: number): { readonly volume: number; readonly errorRate: number } {
    this.#prune(nowMs)
    let volume = 0
    let faults = 0
    for (const bucket of this.#buckets) {
      volume += bucket.oks + bucket.faults
      faults += bucket.faults
    }
    return { volume, errorRate: volume === 0 ? 0 : faults / volume }
  }

  clear(): void {
    this.#buckets = []
  }

  /** Drops what has left the window, and what lies ahead of a clock that went back. Returns the current bucket. */
  #prune(nowMs: number): number {
    const at = Math.floor(nowMs / this.#bucketMs)
    const isInside = (bucket: Bucket) => bucket.at > at - BUCKETS && bucket.at <= at
    if (!this.#buckets.every(isInside)) this.#buckets = this.#buckets.filter(isInside)
    return at
  }
}
