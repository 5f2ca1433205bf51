// Sets of characters as expressions write them, with what their membership hangs on: characters between the same two
// boundaries, with the same answers to the same questions, are all in a set or all out of it.

/** A question about one character that only Unicode's tables answer, as `\p{L}`. */
export type CharacterQuestion = (character: string) => boolean

export interface CharacterSet {
  has(code: number): boolean
  /** Code points where membership may change. */
  readonly boundaries: readonly number[]
  readonly questions: readonly CharacterQuestion[]
  /** What the engine has to be asked, as it stands in a class: several of them can be asked as one. */
  readonly property?: Property
  /** Of a single letter what it is found by: itself, or its lower case where that is what all of its cases become. */
  readonly letter?: { readonly text: string; readonly isFolded: boolean }
}

interface Property {
  readonly source: string
  readonly flags: 'u' | 'iu'
}

export function oneCharacter(code: number): CharacterSet {
  const letter = { text: String.fromCodePoint(code), isFolded: false }
  return { has: (other) => other === code, boundaries: [code, code + 1], questions: [], letter }
}

/** A character and the other cases of it. */
export function oneInEitherCase(code: number): CharacterSet {
  const set = rangeInEitherCase(code, code)
  const { boundaries, questions } = set
  const text = String.fromCodePoint(code).toLowerCase()
  const isFound = [code, ...otherCases(code)].every((other) => String.fromCodePoint(other).toLowerCase() === text)
  const bare = { has: set.has, boundaries, questions }
  return isFound ? { ...bare, letter: { text, isFolded: true } } : bare
}

/** Both ends are in. */
export function characterRange(least: number, most: number): CharacterSet {
  return { has: (code) => code >= least && code <= most, boundaries: [least, most + 1], questions: [] }
}

export function anyOf(sets: readonly CharacterSet[]): CharacterSet {
  const [only] = sets
  if (only !== undefined && sets.length === 1) return only
  const parts = joinProperties(sets)
  return {
    has: (code) => parts.some((set) => set.has(code)),
    boundaries: parts.flatMap(({ boundaries }) => boundaries),
    questions: parts.flatMap(({ questions }) => questions),
  }
}

function joinProperties(sets: readonly CharacterSet[]): readonly CharacterSet[] {
  const properties = sets.flatMap(({ property }) => (property === undefined ? [] : [property]))
  const [first] = properties
  if (first === undefined || properties.length < 2) return sets
  const sources = [...new Set(properties.map(({ source }) => source))]
  // All of one expression fold alike.
  return [
    ...sets.filter(({ property }) => property === undefined),
    withProperty({ ...first, source: sources.join('') }),
  ]
}

export function noneOf(set: CharacterSet): CharacterSet {
  const { boundaries, questions } = set
  return { has: (code) => !set.has(code), boundaries, questions }
}

export function answeredBy(question: CharacterQuestion): CharacterSet {
  return { has: (code) => question(String.fromCodePoint(code)), boundaries: [], questions: [question] }
}

/** Null for what is no property of Unicode. */
export function propertySet(name: string, isCaseSensitive: boolean): CharacterSet | null {
  try {
    return withProperty({ source: `\\p{${name}}`, flags: isCaseSensitive ? 'u' : 'iu' })
  } catch {
    // The engine knows no such property, which is the answer.
    return null
  }
}

function withProperty(property: Property): CharacterSet {
  // One character at a time: nothing to backtrack in.
  const regex = new RegExp(`^[${property.source}]$`, property.flags)
  return { ...answeredBy((character) => regex.test(character)), property }
}

/** Of larger ranges the engine knows the other cases. */
const MAX_SPELT_OUT = 256

/** A range with the other cases of its characters. */
export function rangeInEitherCase(least: number, most: number): CharacterSet {
  if (most - least >= MAX_SPELT_OUT) {
    return withProperty({ source: `\\u{${least.toString(16)}}-\\u{${most.toString(16)}}`, flags: 'iu' })
  }
  const others = Array.from({ length: most - least + 1 }, (_, index) => otherCases(least + index)).flat()
  const beyond = others.filter((code) => code < least || code > most)
  return anyOf([characterRange(least, most), ...beyond.map(oneCharacter)])
}

/** Cases beyond the two, as Unicode's simple folding has them, by the lower case: a Kelvin sign is a `k` as well. */
const THIRD_CASES: Readonly<Record<string, string>> = {
  s: 'ſ',
  k: '\u212a',
  å: '\u212b',
  ß: 'ẞ',
  μ: 'µ',
  ω: '\u2126',
  θ: 'ϑϴ',
  β: 'ϐ',
  φ: 'ϕ',
  π: 'ϖ',
  κ: 'ϰ',
  ρ: 'ϱ',
  σ: 'ς',
  ε: 'ϵ',
  ι: '\u0345\u1fbe',
  ǆ: 'ǅ',
  ǉ: 'ǈ',
  ǌ: 'ǋ',
  ǳ: 'ǲ',
  ṡ: 'ẛ',
  в: 'ᲀ',
  д: 'ᲁ',
  о: 'ᲂ',
  с: 'ᲃ',
  т: 'ᲄᲅ',
  ъ: 'ᲆ',
  ѣ: 'ᲇ',
  ꙋ: 'ᲈ',
  ᾳ: 'ᾼ',
  ῃ: 'ῌ',
  ῳ: 'ῼ',
}

function otherCases(code: number): readonly number[] {
  const lower = lowerCase(code)
  const text = String.fromCodePoint(lower)
  const third = Object.hasOwn(THIRD_CASES, text) ? (THIRD_CASES[text] ?? '') : ''
  const cases = [lower, ifOne(text.toUpperCase(), lower), ...Array.from(third, (one) => one.codePointAt(0) ?? lower)]
  // Greek with an iota below has a capital eight further on, whose upper case is two letters.
  if (lower >= 0x1f80 && lower <= 0x1fa7) cases.push(lower + 8)
  return cases.filter((other) => other !== code && lowerCase(other) === lower)
}

function lowerCase(code: number): number {
  // A dotless i is a letter of its own, though its upper case is that of i.
  if (code === 0x131) return code
  const upper = ifOne(String.fromCodePoint(code).toUpperCase(), code)
  return ifOne(String.fromCodePoint(upper).toLowerCase(), upper)
}

/** The code point of a text that is one character; others have no case that expressions could match. */
function ifOne(text: string, otherwise: number): number {
  const code = text.codePointAt(0) ?? otherwise
  return text.length === (code > 0xffff ? 2 : 1) ? code : otherwise
}

const WORD = /^[\p{L}\p{N}\p{M}_]$/u
const ASCII_WORD = /^\w$/

/** Part of a word, for `\w` and for boundaries; in every script, unlike in RE2. */
export const WORD_CHARACTERS = answeredBy((character) => (character < '\u0080' ? ASCII_WORD : WORD).test(character))

export const DIGITS = characterRange(0x30, 0x39)

export const SPACES = anyOf([
  characterRange(0x09, 0x0d),
  ...[0x20, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0xfeff].map(oneCharacter),
  characterRange(0x2000, 0x200a),
  characterRange(0x2028, 0x2029),
])
