// Regular expressions whose time is bounded by the length of the text, whatever the two are: all positions that the
// expression can be at go forward together, as bits, a few words of them per character. Nothing is ever tried again.

import { isWordCode, parseRegex, RegexError } from './regex-parse.ts'
import { compileProgram, type Holds, type Reachable, type RegexProgram } from './regex-program.ts'

/** Steps are looked up for this many positions at once. */
const BLOCK_BITS = 8
const BLOCK_VALUES = 1 << BLOCK_BITS

/** Masks of characters beyond ASCII that are remembered; a text in a large script has a few thousand. */
const MAX_MASKS = 4_096

export interface LinearRegex {
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean
  /** How many matches there are side by side: what goes on from one, or overlaps it, counts as the same. */
  count(text: string): number
}

/** Throws `RegexError` for what can't be had. */
export function compileRegex(pattern: string, isCaseSensitive: boolean): LinearRegex {
  const program = compileProgram(parseRegex(pattern, isCaseSensitive))
  const always: Holds = () => true
  if (program.first(always).accepts) throw new RegexError('matches even where there is nothing, and so every text')
  const matcher = new Matcher(program)
  return {
    test: (text) => matcher.run(text, true) > 0,
    count: (text) => matcher.run(text, false),
  }
}

/** What may come next at places of one kind. */
interface Steps {
  readonly first: Int32Array
  /** By block of positions and which of them are in: the union of what follows on them. */
  readonly following: Int32Array
}

const AT_START = 1
const AT_END = 2
const AT_BOUNDARY = 4

class Matcher {
  readonly #program: RegexProgram
  readonly #steps: (Steps | undefined)[] = []
  readonly #ascii: (Int32Array | undefined)[] = []
  readonly #others = new Map<number, Int32Array>()
  readonly #blocks: number
  /** Words of 32 positions. In a set one more says whether a match ends here, in a mask whether words go on. */
  readonly #words: number

  constructor(program: RegexProgram) {
    this.#program = program
    this.#blocks = Math.ceil(program.tests.length / BLOCK_BITS)
    this.#words = Math.ceil(program.tests.length / 32)
  }

  /** How often it matches; with `stopsAtFirst` at most once. */
  run(text: string, stopsAtFirst: boolean): number {
    const words = this.#words
    const here = new Int32Array(words + 1)
    const reached = new Int32Array(words + 1)
    let matches = 0
    let isInMatch = false
    let mask: Int32Array | null = null
    for (let at = 0; ;) {
      const code = text.codePointAt(at) ?? -1
      const before: Int32Array | null = mask
      mask = code === -1 ? null : this.#maskOf(code)
      const steps = this.#stepsAt(before, mask)
      this.#follow(here, steps, reached)
      if (reached[words] !== 0 && !isInMatch) {
        matches += 1
        if (stopsAtFirst) return matches
        isInMatch = true
      }
      // While a match may go on nothing else begins.
      if (isInMatch) isInMatch = this.#hasPositions(reached)
      if (!isInMatch)
        for (let word = 0; word < words; word += 1) reached[word] = (reached[word] ?? 0) | (steps.first[word] ?? 0)
      if (mask === null) return matches
      for (let word = 0; word < words; word += 1) here[word] = (reached[word] ?? 0) & (mask[word] ?? 0)
      at += code > 0xffff ? 2 : 1
    }
  }

  #follow(here: Int32Array, { following }: Steps, reached: Int32Array): void {
    reached.fill(0)
    const size = this.#words + 1
    for (let block = 0; block < this.#blocks; block += 1) {
      const value = ((here[block >> 2] ?? 0) >>> ((block & 3) * BLOCK_BITS)) & (BLOCK_VALUES - 1)
      if (value === 0) continue
      const from = (block * BLOCK_VALUES + value) * size
      for (let word = 0; word < size; word += 1) reached[word] = (reached[word] ?? 0) | (following[from + word] ?? 0)
    }
  }

  #hasPositions(set: Int32Array): boolean {
    for (let word = 0; word < this.#words; word += 1) if (set[word] !== 0) return true
    return false
  }

  #stepsAt(before: Int32Array | null, after: Int32Array | null): Steps {
    let place = 0
    if (this.#program.hasAssertions) {
      if (before === null) place |= AT_START
      if (after === null) place |= AT_END
      if ((before?.[this.#words] ?? 0) !== (after?.[this.#words] ?? 0)) place |= AT_BOUNDARY
    }
    const known = this.#steps[place]
    if (known !== undefined) return known
    const steps = this.#stepsOf(place)
    this.#steps[place] = steps
    return steps
  }

  #stepsOf(place: number): Steps {
    const holds: Holds = (assertion) => {
      if (assertion === 'start') return (place & AT_START) !== 0
      if (assertion === 'end') return (place & AT_END) !== 0
      return ((place & AT_BOUNDARY) !== 0) === (assertion === 'boundary')
    }
    const after = this.#program.tests.map((_, position) => this.#toSet(this.#program.after(position, holds)))
    const size = this.#words + 1
    const following = new Int32Array(this.#blocks * BLOCK_VALUES * size)
    for (let block = 0; block < this.#blocks; block += 1) {
      for (let value = 1; value < BLOCK_VALUES; value += 1) {
        const lowest = 31 - Math.clz32(value & -value)
        const own = after[block * BLOCK_BITS + lowest]
        const rest = (block * BLOCK_VALUES + (value & (value - 1))) * size
        const to = (block * BLOCK_VALUES + value) * size
        for (let word = 0; word < size; word += 1) {
          following[to + word] = (following[rest + word] ?? 0) | (own?.[word] ?? 0)
        }
      }
    }
    return { first: this.#toSet(this.#program.first(holds)), following }
  }

  /** The positions that take a character. */
  #maskOf(code: number): Int32Array {
    const known = code < 0x80 ? this.#ascii[code] : this.#others.get(code)
    if (known !== undefined) return known
    const positions = this.#program.tests.flatMap((test, position) => (test(code) ? [position] : []))
    const mask = this.#toSet({ positions, accepts: isWordCode(code) })
    if (code < 0x80) this.#ascii[code] = mask
    else {
      if (this.#others.size === MAX_MASKS) this.#others.clear()
      this.#others.set(code, mask)
    }
    return mask
  }

  #toSet({ positions, accepts }: Reachable): Int32Array {
    const set = new Int32Array(this.#words + 1)
    for (const position of positions) set[position >> 5] = (set[position >> 5] ?? 0) | (1 << (position & 31))
    if (accepts) set[this.#words] = 1
    return set
  }
}
