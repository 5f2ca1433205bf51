// Turns for round robin, leased in blocks so that taking one needs no call: fair over isolates to one request a block.

import type { TicketBlock } from './fleet-store.ts'

/** How many turns to lease for a key that was not used yet. */
const FIRST_BLOCK = 64

export interface TicketDesk {
  /** The next turn of a key. Never waits: past the end of its block it counts on, and the next block makes up for it. */
  next(key: string): number
  /** What `next` would give, without giving it; null for a key that was not used yet. */
  peek(key: string): number | null
  /** Makes sure that the next report leases a block for this key. */
  expect(key: string): void
  /**
   * What to lease with the next report: about what was used since the last one, for keys that run low. `alsoKey` is a
   * key about to be used for the first time; it is kept only if turns for it come, as callers make names up.
   */
  wanted(alsoKey?: string | null): ReadonlyMap<string, number>
  /** Takes in leased blocks. */
  accept(blocks: ReadonlyMap<string, TicketBlock>): void
}

interface Counter {
  next: number
  /** Turns of the current block still unused; negative when counting on past its end. */
  left: number
  usedSinceReport: number
  /** A block to go on with once the current one is used up, so that its run of turns is not broken in the middle. */
  following: TicketBlock | null
}

/** `firstTurn` gives where a key starts that has no block yet; random, so that isolates don't all start at one worker. */
export function createTicketDesk(firstTurn: () => number): TicketDesk {
  const counters = new Map<string, Counter>()

  function counterOf(key: string): Counter {
    const known = counters.get(key)
    if (known !== undefined) return known
    const fresh: Counter = { next: firstTurn(), left: 0, usedSinceReport: 0, following: null }
    counters.set(key, fresh)
    return fresh
  }

  return {
    peek(key) {
      const counter = counters.get(key)
      if (counter === undefined) return null
      return counter.left <= 0 && counter.following !== null ? afterOverdraft(counter, counter.following) : counter.next
    },
    expect: (key) => void counterOf(key),
    next(key) {
      const counter = counterOf(key)
      if (counter.left <= 0 && counter.following !== null) {
        counter.next = afterOverdraft(counter, counter.following)
        counter.left = counter.following.first + counter.following.count - counter.next
        counter.following = null
      }
      counter.left -= 1
      counter.usedSinceReport += 1
      return counter.next++
    },
    wanted(alsoKey = null) {
      const wanted = new Map<string, number>()
      if (alsoKey !== null && !counters.has(alsoKey)) wanted.set(alsoKey, FIRST_BLOCK)
      for (const [key, counter] of counters) {
        const isLow = counter.following === null && counter.left < counter.usedSinceReport + FIRST_BLOCK / 2
        if (isLow) wanted.set(key, Math.max(FIRST_BLOCK, 2 * counter.usedSinceReport))
        counter.usedSinceReport = 0
      }
      return wanted
    },
    accept(blocks) {
      for (const [key, block] of blocks) {
        if (block.count > 0) counterOf(key).following = block
      }
    },
  }
}

/** Turns counted past the end of the last block are taken off the new one: nobody gets a turn twice. */
function afterOverdraft({ left }: Counter, { first, count }: TicketBlock): number {
  return first + Math.min(-left, count - 1)
}
