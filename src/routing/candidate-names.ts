// Ids of candidates as rendezvous hashing reads them, kept from one decision to the next: a fleet's ids are the same for far
// longer, and what all of them begin with is hashed once a key and not once a candidate.

import { blocksOf, type HashState, placeOf, stateAfter } from './hash.ts'

interface Name {
  readonly id: string
  readonly blocks: Int32Array
}

/** The places it gives are those of `rendezvousPlace`, to the bit; what it keeps only makes them come sooner. */
export class CandidateNames {
  #names: readonly Name[] = []
  /** How many blocks all of them begin with. */
  #shared = 0

  /** The places of these candidates for a key, in their order. */
  places(key: HashState, candidates: readonly { readonly id: string }[]): number[] {
    if (!this.#areThese(candidates)) this.#keep(candidates)
    const shared = this.#shared
    const [first] = this.#names
    const begun = first === undefined ? key : stateAfter(first.blocks, 0, shared, key)
    return this.#names.map(({ id, blocks }) => {
      const { high, low } = stateAfter(blocks, shared, blocks.length, begun)
      return placeOf({ high: high ^ id.length, low })
    })
  }

  #areThese(candidates: readonly { readonly id: string }[]): boolean {
    const names = this.#names
    return candidates.length === names.length && candidates.every(({ id }, at) => names[at]?.id === id)
  }

  #keep(candidates: readonly { readonly id: string }[]): void {
    const before = this.#names
    this.#names = candidates.map(({ id }, at) => {
      const known = before[at]
      return known?.id === id ? known : { id, blocks: blocksOf(id) }
    })
    this.#shared = sharedBlocks(this.#names)
  }
}

function sharedBlocks(names: readonly Name[]): number {
  const [first, ...others] = names
  if (first === undefined) return 0
  let shared = first.blocks.length
  for (const { blocks } of others) {
    let same = 0
    while (same < shared && same < blocks.length && blocks[same] === first.blocks[same]) same += 1
    shared = same
  }
  return shared
}
