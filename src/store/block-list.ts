// The blocks that one candidate is thought to hold, the most recently used first, and how many it seems to have room for.

interface Entry {
  readonly hash: string
  /** The request that used it last. */
  turn: number
  /** A request with it was answered, so it is no mere intention. */
  isConfirmed: boolean
  newer: Entry | null
  older: Entry | null
}

/** Turns in which the blocks of one prompt had been used before, for those that were surely there. */
export type KnownUses = readonly number[]

/** What a cache has room for is not taken to be less than this part of what it was thought to hold: it was emptied then. */
const LEAST_PLAUSIBLE_SHARE = 0.25

/** A prompt has as many tokens a byte in no two places: what is missing counts only beyond both of these. */
const SLACK_BLOCKS = 2
const SLACK_SHARE = 0.25

/** How much more a cache is taken to have room for with each prompt that it held as foreseen. */
const GROWTH = 1.01

export class BlockList {
  readonly #entries = new Map<string, Entry>()
  #newest: Entry | null = null
  #oldest: Entry | null = null
  /** Blocks it has room for, as learned; unbounded until something was found missing. */
  #capacity = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#entries.size
  }

  get capacity(): number {
    return Math.floor(this.#capacity)
  }

  /** Infinity for an empty list. */
  get oldestTurn(): number {
    return this.#oldest?.turn ?? Number.POSITIVE_INFINITY
  }

  /** Looks at few of them: what goes, goes from the end of a prompt, so that a block is there with all before it. */
  match(chain: readonly string[]): number {
    const has = (at: number) => this.#entries.has(chain[at] ?? '')
    if (!has(0)) return 0
    let held = 1
    let missing = chain.length
    while (held < missing) {
      const middle = (held + missing) >>> 1
      if (has(middle)) held = middle + 1
      else missing = middle
    }
    return held
  }

  /** When its leading blocks were used last, as far as they are confirmed. */
  confirmedUses(chain: readonly string[]): KnownUses {
    const uses: number[] = []
    for (const hash of chain) {
      const entry = this.#entries.get(hash)
      if (entry?.isConfirmed !== true) break
      uses.push(entry.turn)
    }
    return uses
  }

  /** Notes that a prompt was sent. Says how many blocks are new. */
  use(chain: readonly string[], turn: number): number {
    const before = this.#entries.size
    // The end first: nothing behind a missing block counts, so the beginning must be the last to go.
    for (let at = chain.length - 1; at >= 0; at -= 1) {
      const hash = chain[at] ?? ''
      let entry = this.#entries.get(hash)
      if (entry === undefined) {
        entry = { hash, turn, isConfirmed: false, newer: null, older: null }
        this.#entries.set(hash, entry)
      } else {
        this.#unlink(entry)
        entry.turn = turn
      }
      this.#link(entry)
    }
    return this.#entries.size - before
  }

  confirm(chains: readonly (readonly string[])[]): void {
    for (const chain of chains) {
      for (const hash of chain) {
        const entry = this.#entries.get(hash)
        if (entry !== undefined) entry.isConfirmed = true
      }
    }
  }

  /** Takes out what only the request of this turn has put there. Says how many went. */
  takeBack(chains: readonly (readonly string[])[], turn: number): number {
    const before = this.#entries.size
    for (const chain of chains) {
      for (const hash of chain) {
        const entry = this.#entries.get(hash)
        if (entry?.isConfirmed === false && entry.turn === turn) this.#remove(entry)
      }
    }
    return before - this.#entries.size
  }

  /**
   * Puts right what was foreseen by what the worker had found. A block that is missing there was evicted, and so was
   * everything that had been used less recently. Says how many entries went.
   */
  learn(known: readonly KnownUses[], actualBlocks: number): number {
    let left = actualBlocks
    let foreseen = 0
    for (const uses of known) {
      const missing = uses[left]
      if (missing !== undefined && uses.length - left > Math.max(SLACK_BLOCKS, uses.length * SLACK_SHARE)) {
        return this.#forgetUpTo(missing)
      }
      left = Math.max(0, left - uses.length)
      foreseen += uses.length
    }
    if (foreseen > 0) this.#capacity = this.#capacity * GROWTH + 1
    // It holds what was forgotten here. Without this a room that was thought too small for all that comes in turn stays so.
    this.#capacity += Math.max(0, actualBlocks - foreseen)
    return 0
  }

  forgetRoom(): void {
    this.#capacity = Number.POSITIVE_INFINITY
  }

  #forgetUpTo(turn: number): number {
    const before = this.#entries.size
    while (this.#oldest !== null && this.#oldest.turn <= turn) this.#remove(this.#oldest)
    const after = this.#entries.size
    if (after >= before * LEAST_PLAUSIBLE_SHARE) this.#capacity = Math.min(this.#capacity, Math.max(1, after))
    return before - after
  }

  /** Says how many entries went. */
  shrinkTo(most: number): number {
    let gone = 0
    while (this.#entries.size > most) gone += this.dropOldest()
    return gone
  }

  /** Says whether one went, as a number. */
  dropOldest(): number {
    if (this.#oldest === null) return 0
    this.#remove(this.#oldest)
    return 1
  }

  #remove(entry: Entry): void {
    this.#unlink(entry)
    this.#entries.delete(entry.hash)
  }

  #link(entry: Entry): void {
    entry.older = this.#newest
    entry.newer = null
    if (this.#newest === null) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
  }

  #unlink({ newer, older }: Entry): void {
    if (newer === null) this.#newest = older
    else newer.older = older
    if (older === null) this.#oldest = newer
    else older.newer = newer
  }
}
