// Regular expressions whose time is bounded by the length of the text, whatever the two are. Places that a match was at
// before are remembered with where each character leads from them (a lazy automaton), so that most characters cost two
// look-ups; a text that keeps leading to new places is gone through in bits (regex-steps.ts), which needs no memory.

import { CharacterClasses, WORDS } from './regex-classes.ts'
import { parseRegex, RegexError } from './regex-parse.ts'
import { requiredLiteral } from './regex-literal.ts'
import { compileProgram, type RegexProgram } from './regex-program.ts'
import { BEFORE, type Place, RegexSteps } from './regex-steps.ts'

export interface LinearRegex {
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean
  /** How many matches there are side by side: what goes on from one, or overlaps it, counts as the same. */
  count(text: string): number
}

/** Throws `RegexError` for what can't be had. */
export function compileRegex(pattern: string, isCaseSensitive: boolean): LinearRegex {
  const root = parseRegex(pattern, isCaseSensitive)
  const program = compileProgram(root)
  if (program.first(() => true).accepts) {
    throw new RegexError('matches even where there is nothing, and so every text')
  }
  const matcher = new Matcher(program)
  const literal = requiredLiteral(root)
  const mayMatch = (text: string) =>
    literal === null || (literal.isFolded ? text.toLowerCase() : text).includes(literal.text)
  return {
    test: (text) => mayMatch(text) && matcher.run(text, true) > 0,
    count: (text) => (mayMatch(text) ? matcher.run(text, false) : 0),
  }
}

/** Memory of one expression: so many ways from a place over a class of characters. */
const MAX_WAYS = 16_384
/** A text that leads to more new ways than this has more of them; remembering them costs more than it saves. */
const MAX_NEW_WAYS = 2_000

class Matcher {
  readonly #classes: CharacterClasses
  readonly #steps: RegexSteps
  readonly #places: Place[] = []
  readonly #byKey = new Map<string, number>()
  /** By place and class: twice the place behind it and whether a match was found, counted from 2; 0 for not known. */
  #ways = new Int32Array(0)
  /** Classes that a place has room for. */
  #width = 16

  constructor(program: RegexProgram) {
    this.#classes = new CharacterClasses(program)
    this.#steps = new RegexSteps(program, this.#classes)
  }

  /** How often it matches; with `stopsAtFirst` at most once. */
  run(text: string, stopsAtFirst: boolean): number {
    if (this.#isFull()) this.#forget()
    let place = this.#numberOf({ here: new Int32Array(WORDS), before: BEFORE.start, isInMatch: false })
    let matches = 0
    let left = MAX_NEW_WAYS
    let at = 0
    while (at < text.length) {
      const code = text.codePointAt(at) ?? 0
      const characterClass = this.#classes.of(code)
      let way = characterClass < this.#width ? (this.#ways[place * this.#width + characterClass] ?? 0) : 0
      if (way === 0) {
        left -= 1
        if (left === 0 || this.#isFull()) break
        if (characterClass >= this.#width) place = this.#widen(place)
        way = this.#learn(place, characterClass, { text, at })
      }
      place = (way >> 1) - 1
      at += code > 0xffff ? 2 : 1
      if ((way & 1) === 0) continue
      matches += 1
      if (stopsAtFirst) return matches
    }
    const rest = this.#copyOf(place)
    matches += this.#steps.advance(rest, text, { from: at, to: text.length, stopsAtFirst })
    if (stopsAtFirst && matches > 0) return matches
    return this.#steps.endsMatch(rest) ? matches + 1 : matches
  }

  #learn(place: number, characterClass: number, { text, at }: { text: string; at: number }): number {
    const next = this.#copyOf(place)
    const matches = this.#steps.advance(next, text, { from: at, to: at + 1, stopsAtFirst: false })
    const way = (this.#numberOf(next) + 1) * 2 + matches
    this.#ways[place * this.#width + characterClass] = way
    return way
  }

  #numberOf(place: Place): number {
    const key = `${place.here.join()} ${place.before} ${place.isInMatch}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const number = this.#places.push(place) - 1
    this.#byKey.set(key, number)
    if (this.#places.length * this.#width > this.#ways.length) {
      const grown = new Int32Array(Math.max(8 * this.#width, this.#ways.length * 2))
      grown.set(this.#ways)
      this.#ways = grown
    }
    return number
  }

  #copyOf(number: number): Place {
    const { here, before, isInMatch } = this.#places[number] ?? NOWHERE
    return { here: here.slice(), before, isInMatch }
  }

  #isFull(): boolean {
    return (this.#places.length + 1) * this.#width > MAX_WAYS
  }

  /** Makes room for more classes, which are known from here on; ways are found again as they come up. */
  #widen(place: number): number {
    const kept = this.#copyOf(place)
    this.#forget()
    return this.#numberOf(kept)
  }

  #forget(): void {
    while (this.#width < this.#classes.count) this.#width *= 2
    this.#places.length = 0
    this.#byKey.clear()
    this.#ways = new Int32Array(0)
  }
}

const NOWHERE: Place = { here: new Int32Array(WORDS), before: BEFORE.start, isInMatch: false }
