// The KV cache of one engine, in blocks: which are held by running sequences, which are free but still hold a known
// prefix, and which is evicted next. Knows hashes and counts, not tokens or time.

/** A sequence's share of the cache. `release` it once, however the sequence ends. */
export interface BlockHolding {
  /** Hashes of computed blocks, in order. */
  readonly computed: number[]
  /** Blocks allocated but not yet computed in full. */
  pending: number
}

/** Blocks with reference counts; free ones are hit until evicted, the one longest unused first. */
export class PrefixCache {
  readonly capacity: number
  readonly #held = new Map<number, number>()
  // Insertion order is the eviction order.
  readonly #free = new Set<number>()
  readonly #evicted: (hash: number) => void
  #pending = 0

  /** `evicted` is told of every block that can't be hit any more. */
  constructor(capacity: number, evicted: (hash: number) => void = () => {}) {
    this.capacity = capacity
    this.#evicted = evicted
  }

  /** Share of the blocks that sequences hold, 0 to 1. Free blocks count as free, whatever they still contain. */
  get usage(): number {
    return Math.min(1, this.#used() / this.capacity)
  }

  /** How many leading blocks are cached. */
  countHits(hashes: readonly number[], limit: number): number {
    let hits = 0
    while (hits < limit) {
      const hash = hashes[hits]
      if (hash === undefined || !(this.#held.has(hash) || this.#free.has(hash))) break
      hits++
    }
    return hits
  }

  /** Whether a prompt of `blocks` blocks, of which the first `hits` are cached, fits beside what runs. */
  fits(hashes: readonly number[], hits: number, blocks: number): boolean {
    let shared = 0
    for (let index = 0; index < hits; index++) if (this.#held.has(hashes[index] ?? -1)) shared++
    return this.#used() + blocks - shared <= this.capacity
  }

  /** Takes the cached blocks and allocates the rest. */
  hold(hashes: readonly number[], hits: number, blocks: number): BlockHolding {
    const holding: BlockHolding = { computed: hashes.slice(0, hits), pending: 0 }
    for (const hash of holding.computed) this.#take(hash)
    this.allocate(holding, blocks - hits)
    return holding
  }

  /** Allocates more blocks. More than there are is let pass: the simulator does not preempt. */
  allocate(holding: BlockHolding, blocks: number): void {
    holding.pending += blocks
    this.#pending += blocks
    this.#evict()
  }

  /** A pending block is computed: from now on others can hit it. */
  publish(holding: BlockHolding, hash: number): void {
    holding.pending--
    this.#pending--
    holding.computed.push(hash)
    this.#take(hash)
  }

  /** Gives everything back. Computed blocks stay to be hit; the tail goes first, as a prefix is worth more. */
  release(holding: BlockHolding): void {
    this.#pending -= holding.pending
    holding.pending = 0
    for (let hash = holding.computed.pop(); hash !== undefined; hash = holding.computed.pop()) {
      const holders = (this.#held.get(hash) ?? 1) - 1
      if (holders > 0) {
        this.#held.set(hash, holders)
      } else {
        this.#held.delete(hash)
        this.#free.add(hash)
      }
    }
    this.#evict()
  }

  #take(hash: number): void {
    this.#free.delete(hash)
    this.#held.set(hash, (this.#held.get(hash) ?? 0) + 1)
  }

  #used(): number {
    return this.#held.size + this.#pending
  }

  #evict(): void {
    for (const hash of this.#free) {
      if (this.#used() + this.#free.size <= this.capacity) return
      this.#free.delete(hash)
      this.#evicted(hash)
    }
  }
}
