// Which candidate is thought to hold which beginnings of prompts in its KV cache: chained hashes of blocks, the least
// recently used forgotten first, as engines do. An estimate from what was sent there, put right by what workers count.

import { BlockList } from './block-list.ts'

/** Hashes of the blocks of each prompt of a request, as `routing/prompt-blocks.ts` makes them. */
export type Chains = readonly (readonly string[])[]

export interface PrefixIndexLimits {
  /** Memory of the whole index. */
  readonly maxBytes: number
  /** Most blocks of one candidate; null for as many as there is memory for. */
  readonly maxBlocksEach: number | null
}

/** What an entry takes: its hash, its place in a map and in a list. Measured on V8; others are no worse. */
export const ENTRY_BYTES = 184

export class PrefixIndex {
  readonly #lists = new Map<string, BlockList>()
  #limits: PrefixIndexLimits
  #entries = 0
  /** Counts requests, so that entries of different candidates can be told by age. */
  #turn = 0

  constructor(limits: PrefixIndexLimits) {
    this.#limits = limits
  }

  /** Never more than the limit. */
  get bytes(): number {
    return this.#entries * ENTRY_BYTES
  }

  /** Takes effect at once. What was there stays as far as it fits. */
  setLimits(limits: PrefixIndexLimits): void {
    this.#limits = limits
    for (const list of this.#lists.values()) this.#entries -= list.shrinkTo(this.#mostOf(list))
    this.#makeRoom()
  }

  /** Forgets candidates that are not among these: their workers are gone for good. */
  retain(candidateIds: ReadonlySet<string>): void {
    for (const [id, list] of this.#lists) {
      if (candidateIds.has(id)) continue
      this.#entries -= list.size
      this.#lists.delete(id)
    }
  }

  /** How much room a candidate has was learned from counts that were none. */
  forgetRoom(candidateId: string): void {
    this.#lists.get(candidateId)?.forgetRoom()
  }

  /**
   * How many leading blocks of these prompts each candidate holds, together; those that hold none are not listed. Only
   * looks: nothing counts as used.
   */
  match(chains: Chains): Map<string, number> {
    const found = new Map<string, number>()
    for (const [id, list] of this.#lists) {
      let blocks = 0
      for (const chain of chains) blocks += list.match(chain)
      if (blocks > 0) found.set(id, blocks)
    }
    return found
  }

  /** An attempt with these prompts begins: from here on the candidate is taken to hold them. */
  begin(candidateId: string, chains: Chains): IndexedPrompt {
    let list = this.#lists.get(candidateId)
    if (list === undefined) {
      list = new BlockList()
      this.#lists.set(candidateId, list)
    }
    const known = chains.map((chain) => list.confirmedUses(chain))
    const turn = this.#use(list, chains)
    return {
      takeBack: () => void (this.#entries -= list.takeBack(chains, turn)),
      confirm: () => {
        // Engines count a block as used until its request ends. A candidate that is gone meanwhile stays gone.
        if (this.#lists.get(candidateId) !== list) return
        this.#use(list, chains)
        list.confirm(chains)
      },
      correct: (actualBlocks) => {
        this.#entries -= list.learn(known, actualBlocks)
        this.#makeRoom()
      },
    }
  }

  #use(list: BlockList, chains: Chains): number {
    this.#turn += 1
    // The longest prompt there is may not fit; its beginning is worth more than its end.
    const room = this.#mostOf(list)
    for (const chain of chains)
      this.#entries += list.use(chain.length > room ? chain.slice(0, room) : chain, this.#turn)
    this.#entries -= list.shrinkTo(room)
    this.#makeRoom()
    return this.#turn
  }

  #mostOf(list: BlockList): number {
    const { maxBlocksEach, maxBytes } = this.#limits
    const inMemory = Math.floor(maxBytes / ENTRY_BYTES)
    return Math.max(0, Math.min(inMemory, maxBlocksEach ?? inMemory, list.capacity))
  }

  /** What has not been used for longest goes, whoever holds it. */
  #makeRoom(): void {
    while (this.bytes > this.#limits.maxBytes) {
      let oldest: BlockList | null = null
      for (const list of this.#lists.values()) if (list.oldestTurn < (oldest?.oldestTurn ?? Infinity)) oldest = list
      if (oldest === null) return
      // All of one turn are in one list: nobody else's are older.
      const turn = oldest.oldestTurn
      while (this.bytes > this.#limits.maxBytes && oldest.oldestTurn === turn) this.#entries -= oldest.dropOldest()
    }
  }
}

/** The entries of one attempt. */
export interface IndexedPrompt {
  /** The worker never got it: what was not known before goes. */
  takeBack(): void
  /** It has begun to answer, so it holds the prompt. */
  confirm(): void
  /** It says how many leading blocks it had found in its cache. */
  correct(actualBlocks: number): void
}
