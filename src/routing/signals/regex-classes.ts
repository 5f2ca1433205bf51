// Characters that an expression can't tell apart, as one class: a text may well have every character there is, and few
// classes differ. A character is classed when it first comes up.

import { type CharacterQuestion, type CharacterSet, WORD_CHARACTERS } from './regex-characters.ts'
import { RegexError } from './regex-parse.ts'
import type { RegexProgram } from './regex-program.ts'

/** Machine words that hold a set of positions. */
export const WORDS = 4

/** Characters that are looked up side by side. */
const PAGE_BITS = 8
const PAGE_SIZE = 1 << PAGE_BITS
/** An entry of a page is 16 bits, and 0 is for what was not looked at. */
const MAX_ENTRY = 0xffff
/** What characters answer is asked of each once, and takes its time. */
const MAX_QUESTIONS = 16

export class CharacterClasses {
  readonly #pages: (Uint16Array | undefined)[] = []
  readonly #boundaries: Int32Array
  readonly #questions: readonly CharacterQuestion[]
  /** What positions take, each set once: repeats that were written out share theirs. */
  readonly #takers: readonly { readonly set: CharacterSet; readonly positions: readonly number[] }[]
  readonly #hasAssertions: boolean
  /** By where a character lies and what it answers. */
  readonly #byKind = new Map<number, number>()
  readonly #byMask = new Map<string, number>()
  /** By class, the positions that take it: `WORDS` numbers each. */
  #masks = new Int32Array(16 * WORDS)
  /** By class, whether words go on over it. */
  readonly #isWord: boolean[] = []

  /** Throws `RegexError` for what would take too long to tell apart. */
  constructor({ sets, hasAssertions }: RegexProgram) {
    const takers = new Map<CharacterSet, number[]>()
    for (const [position, set] of sets.entries()) {
      const taken = takers.get(set)
      if (taken === undefined) takers.set(set, [position])
      else taken.push(position)
    }
    this.#takers = [...takers].map(([set, positions]) => ({ set, positions }))
    this.#hasAssertions = hasAssertions
    const all = [...takers.keys(), ...(hasAssertions ? [WORD_CHARACTERS] : [])]
    this.#boundaries = Int32Array.from(new Set(all.flatMap(({ boundaries }) => boundaries))).sort()
    this.#questions = [...new Set(all.flatMap(({ questions }) => questions))]
    if (this.#questions.length > MAX_QUESTIONS) {
      throw new RegexError(
        `asks more than ${MAX_QUESTIONS} different things of a character; put properties into one [ ]`,
      )
    }
  }

  get count(): number {
    return this.#isWord.length
  }

  get masks(): Int32Array {
    return this.#masks
  }

  isWord(characterClass: number): boolean {
    return this.#isWord[characterClass] ?? false
  }

  of(code: number): number {
    const entry = this.#pages[code >> PAGE_BITS]?.[code & (PAGE_SIZE - 1)] ?? 0
    return entry === 0 ? this.#find(code) : entry - 1
  }

  #find(code: number): number {
    const kind = this.#kindOf(code)
    const known = this.#byKind.get(kind)
    const found = known ?? this.#create(code)
    if (known === undefined) this.#byKind.set(kind, found)
    // Where a character lies is quickly found; only what it answers is worth remembering for all there are.
    const isKept = (code < PAGE_SIZE || this.#questions.length > 0) && found < MAX_ENTRY
    if (isKept) (this.#pages[code >> PAGE_BITS] ??= new Uint16Array(PAGE_SIZE))[code & (PAGE_SIZE - 1)] = found + 1
    return found
  }

  #kindOf(code: number): number {
    let least = 0
    let most = this.#boundaries.length
    while (least < most) {
      const middle = (least + most) >> 1
      if ((this.#boundaries[middle] ?? 0) <= code) least = middle + 1
      else most = middle
    }
    if (this.#questions.length === 0) return least
    let kind = least
    const character = String.fromCodePoint(code)
    for (const asks of this.#questions) kind = kind * 2 + (asks(character) ? 1 : 0)
    return kind
  }

  #create(code: number): number {
    const mask = new Int32Array(WORDS)
    for (const { set, positions } of this.#takers) if (set.has(code)) addPositions(mask, positions)
    const isWord = this.#hasAssertions && WORD_CHARACTERS.has(code)
    const key = `${mask.join()} ${isWord}`
    const known = this.#byMask.get(key)
    if (known !== undefined) return known
    const created = this.#isWord.length
    this.#byMask.set(key, created)
    this.#isWord.push(isWord)
    if (created * WORDS === this.#masks.length) {
      const grown = new Int32Array(this.#masks.length * 2)
      grown.set(this.#masks)
      this.#masks = grown
    }
    this.#masks.set(mask, created * WORDS)
    return created
  }
}

export function addPositions(set: Int32Array, positions: readonly number[]): void {
  for (const position of positions) set[position >> 5] = (set[position >> 5] ?? 0) | (1 << (position & 31))
}
