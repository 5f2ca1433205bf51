// Things that come and go with each request, in no order. A Set is made anew, smaller or larger, every few of them.

/** What can be in a bag: it knows where it is there. */
export interface Bagged {
  /** Its place in the bag; -1 when it is in none. Written by the bag alone. */
  bagAt: number
}

export class Bag<Thing extends Bagged> {
  readonly #things: Thing[] = []

  /** Everything in it; changes as the bag does. */
  get all(): readonly Thing[] {
    return this.#things
  }

  add(thing: Thing): void {
    thing.bagAt = this.#things.length
    this.#things.push(thing)
  }

  /** True when it was there. */
  remove(thing: Thing): boolean {
    const { bagAt } = thing
    if (bagAt === -1) return false
    const last = this.#things.pop()
    // The last one takes the place that is free now.
    if (last !== undefined && last !== thing) {
      this.#things[bagAt] = last
      last.bagAt = bagAt
    }
    thing.bagAt = -1
    return true
  }
}
