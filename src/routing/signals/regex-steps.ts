// All positions that an expression can be at, as bits that go forward together: a step costs some machine words, however
// many positions are in. Nothing is ever tried again.

import { addPositions, type CharacterClasses, WORDS } from './regex-classes.ts'
import type { Holds, RegexProgram } from './regex-program.ts'

/** Steps are looked up for this many positions at once. */
const BLOCK_BITS = 8
const BLOCK_VALUES = 1 << BLOCK_BITS
const BLOCK_SIZE = BLOCK_VALUES * WORDS

/** What came before a place: nothing, a character between words, or one within a word. */
export const BEFORE = { start: 0, gap: 1, word: 2 } as const
export type Before = (typeof BEFORE)[keyof typeof BEFORE]

/** What comes after the last character. */
const END = -1

/** A part of a text. */
export interface Stretch {
  readonly from: number
  readonly to: number
  readonly stopsAtFirst: boolean
}

/** Where a match has got to. */
export interface Place {
  /** Positions that took the character before, `WORDS` numbers. */
  readonly here: Int32Array
  before: Before
  /** While a match may go on nothing else begins. */
  isInMatch: boolean
}

/** What may come next at places of one kind. */
interface Steps {
  readonly first: Int32Array
  /** Positions behind which a match may end. */
  readonly accepting: Int32Array
  /** By block of positions and which of them are in: the union of what follows on them. */
  readonly following: Int32Array
}

const AT_START = 1
const AT_END = 2
const AT_BOUNDARY = 4

export class RegexSteps {
  readonly #program: RegexProgram
  readonly #classes: CharacterClasses
  readonly #steps: (Steps | undefined)[] = []
  readonly #blocks: number
  readonly #words: number

  constructor(program: RegexProgram, classes: CharacterClasses) {
    this.#program = program
    this.#classes = classes
    this.#blocks = Math.ceil(program.sets.length / BLOCK_BITS)
    this.#words = Math.ceil(program.sets.length / 32)
  }

  /** Goes over `text` between two places in it, and takes `place` along; returns how many matches were found on the way. */
  advance(place: Place, text: string, { from, to, stopsAtFirst }: Stretch): number {
    const { here } = place
    const classes = this.#classes
    let { before, isInMatch } = place
    let h0 = here[0] ?? 0
    let h1 = here[1] ?? 0
    let h2 = here[2] ?? 0
    let h3 = here[3] ?? 0
    let matches = 0
    for (let at = from; at < to && !(stopsAtFirst && matches > 0);) {
      const code = text.codePointAt(at) ?? 0
      at += code > 0xffff ? 2 : 1
      const characterClass = classes.of(code)
      const isWord = classes.isWord(characterClass)
      const { first, accepting, following } = this.#stepsAt(before, isWord ? BEFORE.word : BEFORE.gap)
      before = isWord ? BEFORE.word : BEFORE.gap
      if (!isInMatch) {
        let ended = (h0 & (accepting[0] ?? 0)) | (h1 & (accepting[1] ?? 0))
        ended |= (h2 & (accepting[2] ?? 0)) | (h3 & (accepting[3] ?? 0))
        if (ended !== 0) matches += 1
        isInMatch = ended !== 0
      }
      let r0 = 0
      let r1 = 0
      let r2 = 0
      let r3 = 0
      for (let word = 0; word < this.#words; word += 1) {
        let left = word === 0 ? h0 : word === 1 ? h1 : word === 2 ? h2 : h3
        for (let block = word * BLOCK_SIZE * 4; left !== 0; block += BLOCK_SIZE) {
          const next = block + (left & (BLOCK_VALUES - 1)) * WORDS
          left >>>= BLOCK_BITS
          r0 |= following[next] ?? 0
          r1 |= following[next + 1] ?? 0
          r2 |= following[next + 2] ?? 0
          r3 |= following[next + 3] ?? 0
        }
      }
      if (isInMatch) isInMatch = (r0 | r1 | r2 | r3) !== 0
      if (!isInMatch) {
        r0 |= first[0] ?? 0
        r1 |= first[1] ?? 0
        r2 |= first[2] ?? 0
        r3 |= first[3] ?? 0
      }
      const { masks } = classes
      const mask = characterClass * WORDS
      h0 = r0 & (masks[mask] ?? 0)
      h1 = r1 & (masks[mask + 1] ?? 0)
      h2 = r2 & (masks[mask + 2] ?? 0)
      h3 = r3 & (masks[mask + 3] ?? 0)
    }
    here[0] = h0
    here[1] = h1
    here[2] = h2
    here[3] = h3
    place.before = before
    place.isInMatch = isInMatch
    return matches
  }

  /** Whether a match that was not counted ends where the text does. */
  endsMatch({ here, before, isInMatch }: Place): boolean {
    const { accepting } = this.#stepsAt(before, END)
    return !isInMatch && accepting.some((positions, word) => (positions & (here[word] ?? 0)) !== 0)
  }

  #stepsAt(before: Before, after: Before | typeof END): Steps {
    let kind = 0
    if (this.#program.hasAssertions) {
      if (before === BEFORE.start) kind |= AT_START
      if (after === END) kind |= AT_END
      if ((before === BEFORE.word) !== (after === BEFORE.word)) kind |= AT_BOUNDARY
    }
    return (this.#steps[kind] ??= this.#stepsOf(kind))
  }

  #stepsOf(kind: number): Steps {
    const holds: Holds = (assertion) => {
      if (assertion === 'start') return (kind & AT_START) !== 0
      if (assertion === 'end') return (kind & AT_END) !== 0
      return ((kind & AT_BOUNDARY) !== 0) === (assertion === 'boundary')
    }
    const reachable = this.#program.sets.map((_, position) => this.#program.after(position, holds))
    const after = reachable.map(({ positions }) => toSet(positions))
    const following = new Int32Array(this.#blocks * BLOCK_SIZE)
    for (let block = 0; block < this.#blocks; block += 1) {
      for (let value = 1; value < BLOCK_VALUES; value += 1) {
        const lowest = 31 - Math.clz32(value & -value)
        const own = after[block * BLOCK_BITS + lowest]
        const rest = (block * BLOCK_VALUES + (value & (value - 1))) * WORDS
        const to = (block * BLOCK_VALUES + value) * WORDS
        for (let word = 0; word < WORDS; word += 1) {
          following[to + word] = (following[rest + word] ?? 0) | (own?.[word] ?? 0)
        }
      }
    }
    return {
      first: toSet(this.#program.first(holds).positions),
      accepting: toSet(reachable.flatMap(({ accepts }, position) => (accepts ? [position] : []))),
      following,
    }
  }
}

function toSet(positions: readonly number[]): Int32Array {
  const set = new Int32Array(WORDS)
  addPositions(set, positions)
  return set
}
