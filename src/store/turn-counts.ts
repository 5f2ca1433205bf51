// Turns by key: leased in blocks, or taken one by one. One state of a pool counts them; those below hand on what they
// leased from it.

import type { TicketBlock } from './fleet-store.ts'

/** Turns handed out at once at most; a holder asks for about what it, or those below it, used since it last asked. */
export const MAX_TICKET_BLOCK = 65_536

/** The counts of turns by key: leased in blocks, or taken one by one. */
export type TurnCount = 'leased' | 'strict'

export class TurnCounts {
  readonly #issues: boolean
  readonly #blocks = new Map<string, TicketBlock>()
  /** Strict turns have a count of their own: blocks leased in between would leave holes in it. */
  readonly #strict = new Map<string, number>()

  /** `issues` is true where the one count of the pool is kept, false where blocks of it are handed on. */
  constructor({ issues }: { readonly issues: boolean }) {
    this.#issues = issues
  }

  has(key: string): boolean {
    return this.#blocks.has(key)
  }

  lease(key: string, wanted: number): TicketBlock {
    const start = { first: 0, count: this.#issues ? Number.MAX_SAFE_INTEGER : 0 }
    const available = this.#blocks.get(key) ?? start
    const count = Math.min(Math.max(0, Math.ceil(wanted)), MAX_TICKET_BLOCK, available.count)
    this.#blocks.set(key, { first: available.first + count, count: available.count - count })
    return { first: available.first, count }
  }

  /** Takes over blocks leased from above. */
  accept(blocks: ReadonlyMap<string, TicketBlock>): void {
    for (const [key, block] of blocks) {
      // What is left of the older block is given up: a hole in the count does no harm, a turn given twice would.
      if (block.count > 0) this.#blocks.set(key, block)
    }
  }

  /** How many turns of `key` are at hand; Infinity where they are counted. */
  left(key: string): number {
    return this.#issues ? Number.POSITIVE_INFINITY : (this.#blocks.get(key)?.count ?? 0)
  }

  /** The next strict turn of a key. */
  take(key: string): number {
    const turn = this.next('strict', key)
    this.#strict.set(key, turn + 1)
    return turn
  }

  /** Where a count stands. */
  next(count: TurnCount, key: string): number {
    return (count === 'strict' ? this.#strict.get(key) : this.#blocks.get(key)?.first) ?? 0
  }

  /** Goes on counting where an earlier life stood. */
  resume(count: TurnCount, key: string, next: number): void {
    if (count === 'strict') this.#strict.set(key, next)
    else this.#blocks.set(key, { first: next, count: Number.MAX_SAFE_INTEGER - next })
  }
}
