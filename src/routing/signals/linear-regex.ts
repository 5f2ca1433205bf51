// Regular expressions whose time is bounded by the length of the text, whatever the two are: all positions that the
// expression can be at go forward together, as bits, a few words of them per character. Nothing is ever tried again.

import { type CharacterTest, isWordCode, parseRegex, RegexError } from './regex-parse.ts'
import { compileProgram, type Holds, type Reachable, type RegexProgram } from './regex-program.ts'

/** Steps are looked up for this many positions at once. */
const BLOCK_BITS = 8
const BLOCK_VALUES = 1 << BLOCK_BITS

/** Characters whose mask is looked up side by side. */
const PAGE_BITS = 8
const PAGE_SIZE = 1 << PAGE_BITS
/** Masks that differ, at most: an entry of a page is 16 bits, and 0 is for what was not looked at. */
const MAX_MASKS = 0xffff

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
  /** By character, which of the masks it has: a text may well have every character there is, and few masks differ. */
  readonly #pages: (Uint16Array | undefined)[] = []
  readonly #masks: Int32Array[] = []
  readonly #maskNumbers = new Map<string, number>()
  #latest = 0
  /** What positions take, each test once: repeats that were written out share theirs. */
  readonly #tests: readonly { readonly test: CharacterTest; readonly positions: readonly number[] }[]
  readonly #blocks: number
  /** Words of 32 positions. In a set one more says whether a match ends here, in a mask whether words go on. */
  readonly #words: number

  constructor(program: RegexProgram) {
    this.#program = program
    this.#blocks = Math.ceil(program.tests.length / BLOCK_BITS)
    this.#words = Math.ceil(program.tests.length / 32)
    const positions = new Map<CharacterTest, number[]>()
    for (const [position, test] of program.tests.entries()) {
      positions.set(test, [...(positions.get(test) ?? []), position])
    }
    this.#tests = [...positions].map(([test, taken]) => ({ test, positions: taken }))
  }

  /** How often it matches; with `stopsAtFirst` at most once. */
  run(text: string, stopsAtFirst: boolean): number {
    const words = this.#words
    const here = new Int32Array(words)
    const reached = new Int32Array(words + 1)
    let matches = 0
    let isInMatch = false
    let mask: Int32Array | null = null
    let steps = this.#stepsAt(null, null)
    // Long texts keep to the same positions for long, and then every step is the one before.
    let isSame = false
    for (let at = 0; ;) {
      const code = text.codePointAt(at) ?? -1
      const before: Int32Array | null = mask
      mask = code === -1 ? null : this.#maskOf(code)
      const last = steps
      steps = this.#stepsAt(before, mask)
      if (!isSame || steps !== last) this.#follow(here, steps, reached)
      if (reached[words] !== 0 && !isInMatch) {
        matches += 1
        if (stopsAtFirst) return matches
        isInMatch = true
      }
      // While a match may go on nothing else begins.
      if (isInMatch) isInMatch = this.#hasPositions(reached)
      if (mask === null) return matches
      isSame = true
      for (let word = 0; word < words; word += 1) {
        const begun = isInMatch ? 0 : (steps.first[word] ?? 0)
        const next = ((reached[word] ?? 0) | begun) & (mask[word] ?? 0)
        if (next !== here[word]) isSame = false
        here[word] = next
      }
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
    const page = (this.#pages[code >> PAGE_BITS] ??= new Uint16Array(PAGE_SIZE))
    const at = code & (PAGE_SIZE - 1)
    const known = this.#masks[(page[at] ?? 0) - 1]
    if (known !== undefined) return known
    const taken = this.#tests.flatMap(({ test, positions }) => (test(code) ? positions : []))
    const isWord = this.#program.hasAssertions && isWordCode(code)
    const mask = this.#toSet({ positions: taken, accepts: isWord })
    page[at] = this.#numberOf(mask)
    return mask
  }

  #numberOf(mask: Int32Array): number {
    // Neighbours mostly have the same.
    const latest = this.#masks[this.#latest - 1]
    if (latest?.every((word, index) => word === mask[index]) === true) return this.#latest
    const key = mask.join()
    const known = this.#maskNumbers.get(key)
    // So many differ in no expression that people write; without a number they are made anew each time.
    if (known === undefined && this.#masks.length === MAX_MASKS) return 0
    this.#latest = known ?? this.#masks.push(mask)
    if (known === undefined) this.#maskNumbers.set(key, this.#latest)
    return this.#latest
  }

  #toSet({ positions, accepts }: Reachable): Int32Array {
    const set = new Int32Array(this.#words + 1)
    for (const position of positions) set[position >> 5] = (set[position >> 5] ?? 0) | (1 << (position & 31))
    if (accepts) set[this.#words] = 1
    return set
  }
}
