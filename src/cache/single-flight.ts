// Equal misses at the same time: one of them asks a worker, and the others wait for what it gets. For processes, where a
// request may wait for what another one does.

interface Flight<Value> {
  readonly landed: Promise<Value | null>
  settle(value: Value | null): void
}

/** Held by the request that asks; whoever holds it ends the flight, whatever becomes of the request. */
export interface Lead<Value> {
  /** Gives the others what they wait for. */
  land(value: Value): void
  /** There is nothing to give; they see for themselves. Does nothing after `land`. */
  leave(): void
}

export class SingleFlight<Value> {
  readonly #flights = new Map<string, Flight<Value>>()

  /** What the request that leads will get, null when it gets nothing; null at once when nobody leads. */
  join(key: string): Promise<Value | null> | null {
    return this.#flights.get(key)?.landed ?? null
  }

  lead(key: string): Lead<Value> {
    let settle: Flight<Value>['settle'] = () => {}
    const landed = new Promise<Value | null>((resolve) => (settle = resolve))
    const flight = { landed, settle }
    this.#flights.set(key, flight)
    const end = (value: Value | null) => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
      settle(value)
    }
    return { land: end, leave: () => end(null) }
  }

  get size(): number {
    return this.#flights.size
  }
}
