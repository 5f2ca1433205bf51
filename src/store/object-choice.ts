// Which object an isolate hands its records to: one, until that fails or does not answer, then the next. What an object may
// have heard of stays with it, taken or not, as no other would know that it has come before.

import type { IsolatePlace } from './isolate-place.ts'

/** Records that are bound to an object. A request that was told of and whose record was lost stays among them. */
const MAX_BOUND = 10_000

/** An object that takes longer to answer is left. */
const SLOW_MS = 10_000

interface Named {
  readonly id: string
}

export class ObjectChoice {
  readonly #place: () => IsolatePlace
  /** How many objects have been left. */
  #moves = 0
  readonly #bound = new Map<string, number>()
  /** Since when an object has been asked and has not answered. */
  readonly #askedAtMs = new Map<number, number>()

  constructor(place: () => IsolatePlace) {
    this.#place = place
  }

  /** What goes to which object. */
  group<Item extends Named>(items: readonly Item[], nowMs: number): ReadonlyMap<number, readonly Item[]> {
    if (items.length === 0) return new Map()
    const home = this.#home(nowMs)
    if (this.#bound.size === 0) return new Map([[home, items]])
    const groups = new Map<number, Item[]>()
    for (const item of items) {
      const object = this.#bound.get(item.id) ?? home
      const group = groups.get(object)
      if (group === undefined) groups.set(object, [item])
      else group.push(item)
    }
    return groups
  }

  /** Told before an object is told: whatever comes of it, from now on it may know of these. */
  bind(object: number, items: readonly Named[]): void {
    for (const { id } of items) {
      // To the end: what is told of again is the last to be forgotten.
      this.#bound.delete(id)
      this.#bound.set(id, object)
    }
    for (const id of this.#bound.keys()) {
      if (this.#bound.size <= MAX_BOUND) break
      this.#bound.delete(id)
    }
  }

  asked(object: number, items: readonly Named[], nowMs: number): void {
    this.bind(object, items)
    if (!this.#askedAtMs.has(object)) this.#askedAtMs.set(object, nowMs)
  }

  /** These are on disk. */
  taken(object: number, items: readonly Named[]): void {
    this.#askedAtMs.delete(object)
    for (const { id } of items) this.#bound.delete(id)
  }

  /** What comes from now on goes elsewhere. */
  failed(object: number): void {
    this.#askedAtMs.delete(object)
    const { index, count } = this.#place()
    if (object === (index + this.#moves) % count) this.#moves += 1
  }

  #home(nowMs: number): number {
    const { index, count } = this.#place()
    const home = (index + this.#moves) % count
    const askedAtMs = this.#askedAtMs.get(home)
    if (askedAtMs === undefined || nowMs - askedAtMs <= SLOW_MS) return home
    this.failed(home)
    return (index + this.#moves) % count
  }
}
