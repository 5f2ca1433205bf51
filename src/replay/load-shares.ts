// How the requests are spread over the workers, before and after.

/** Requests by worker. */
export class LoadShares {
  readonly #requests = new Map<string, number>()
  #total = 0

  add(worker: string): void {
    this.#requests.set(worker, (this.#requests.get(worker) ?? 0) + 1)
    this.#total += 1
  }

  get total(): number {
    return this.#total
  }

  of(worker: string): number {
    return this.#requests.get(worker) ?? 0
  }

  workers(): Iterable<string> {
    return this.#requests.keys()
  }

  /** The largest share times the number of workers: 1 when all have as much; null without requests. */
  hotspot(workers: number): number | null {
    if (this.#total === 0) return null
    return (Math.max(...this.#requests.values()) / this.#total) * Math.max(workers, this.#requests.size)
  }
}
