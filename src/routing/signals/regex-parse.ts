// Regular expressions as keywords and structures may have them: the part of RE2's syntax that a text can be matched
// against in one pass. What would need looking back or ahead is refused.

import {
  anyOf,
  characterRange,
  type CharacterSet,
  DIGITS,
  noneOf,
  oneCharacter,
  oneInEitherCase,
  propertySet,
  rangeInEitherCase,
  SPACES,
  WORD_CHARACTERS,
} from './regex-characters.ts'

export type Assertion = 'start' | 'end' | 'boundary' | 'no_boundary'

export type RegexNode =
  | { readonly kind: 'character'; readonly set: CharacterSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'all' | 'any'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'repeat'; readonly part: RegexNode; readonly least: number; readonly most: number | null }

/** Why an expression can't be had; its message is for whoever wrote it. */
export class RegexError extends Error {
  override readonly name = 'RegexError'
}

const MAX_PATTERN_LENGTH = 1_000
const MAX_DEPTH = 32
/** More would not fit into a program anyway. */
const MAX_REPEAT = 1_000

/** Throws `RegexError`. Letters match in either case unless `isCaseSensitive`. */
export function parseRegex(pattern: string, isCaseSensitive: boolean): RegexNode {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new RegexError(`is longer than ${MAX_PATTERN_LENGTH} characters`)
  }
  return new Parser(pattern, isCaseSensitive).parse()
}

class Parser {
  readonly #characters: readonly string[]
  #isCaseSensitive: boolean
  #at = 0
  #depth = 0
  /** Each property once, so that what is found out about a character serves all that ask for it. */
  readonly #properties = new Map<string, CharacterSet>()

  constructor(pattern: string, isCaseSensitive: boolean) {
    this.#characters = [...pattern]
    this.#isCaseSensitive = isCaseSensitive
  }

  parse(): RegexNode {
    if (this.#takeText('(?i)')) this.#isCaseSensitive = false
    const node = this.#alternatives()
    if (this.#at < this.#characters.length) throw new RegexError('has a ) without its (')
    return node
  }

  #alternatives(): RegexNode {
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    const sets = parts.flatMap((part) => (part.kind === 'character' ? [part.set] : []))
    // Of one character each they are one position instead of several.
    return sets.length === parts.length ? character(anyOf(sets)) : theOnly(parts, 'any')
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = []
    for (;;) {
      const next = this.#characters[this.#at]
      if (next === undefined || next === '|' || next === ')') return theOnly(parts, 'all')
      parts.push(this.#repeated(this.#atom(next)))
    }
  }

  #atom(first: string): RegexNode {
    this.#at += 1
    switch (first) {
      case '(':
        return this.#group()
      case '[':
        return character(this.#characterClass())
      case '.':
        return character(noneOf(oneCharacter(0x0a)))
      case '^':
        return { kind: 'assertion', assertion: 'start' }
      case '$':
        return { kind: 'assertion', assertion: 'end' }
      case '*':
      case '+':
      case '?':
        throw new RegexError(`has a ${first} with nothing before it to repeat; write \\${first} for the character`)
      case '\\':
        return this.#escape()
      default:
        return character(this.#one(first))
    }
  }

  #group(): RegexNode {
    if (this.#take('?')) this.#groupKind()
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new RegexError(`has more than ${MAX_DEPTH} groups inside one another`)
    const node = this.#alternatives()
    if (!this.#take(')')) throw new RegexError('has a ( without its )')
    this.#depth -= 1
    return node
  }

  #groupKind(): void {
    if (this.#take(':')) return
    const isNamed = this.#takeText('P<') || (this.#peek() === '<' && !'=!'.includes(this.#peek(1)) && this.#take('<'))
    if (!isNamed) throw new RegexError('has a group that looks ahead or back or sets flags, which this router has not')
    while (!this.#take('>')) {
      if (!/^\w$/.test(this.#peek())) throw new RegexError('has a group whose name does not end in >')
      this.#at += 1
    }
  }

  #repeated(part: RegexNode): RegexNode {
    const counts = this.#counts()
    if (counts === null) return part
    // Whether a repeat takes much or little decides where a match ends, never whether there is one.
    this.#take('?')
    if (this.#counts() !== null) throw new RegexError('repeats a repeat; put the inner one in ( )')
    return { kind: 'repeat', part, ...counts }
  }

  #counts(): { readonly least: number; readonly most: number | null } | null {
    if (this.#take('*')) return { least: 0, most: null }
    if (this.#take('+')) return { least: 1, most: null }
    if (this.#take('?')) return { least: 0, most: 1 }
    const rest = this.#characters.slice(this.#at, this.#at + 16).join('')
    const [whole, least, comma, most] = /^\{(\d{1,5})(,?)(\d{0,5})\}/.exec(rest) ?? []
    if (whole === undefined || least === undefined) return null
    this.#at += whole.length
    const counts = { least: Number(least), most: comma === '' ? Number(least) : most === '' ? null : Number(most) }
    if (Math.max(counts.least, counts.most ?? 0) > MAX_REPEAT)
      throw new RegexError(`repeats more than ${MAX_REPEAT} times`)
    if (counts.most !== null && counts.most < counts.least) throw new RegexError(`has ${whole}, whose end comes first`)
    return counts
  }

  #escape(): RegexNode {
    const next = this.#peek()
    if (next === 'b' || next === 'B') {
      this.#at += 1
      return { kind: 'assertion', assertion: next === 'b' ? 'boundary' : 'no_boundary' }
    }
    return character(this.#escaped())
  }

  #escaped(): CharacterSet {
    const next = this.#peek()
    this.#at += 1
    if (next === '') throw new RegexError('ends in a \\; write \\\\ for the character')
    if (next === 'p' || next === 'P') return this.#property(next === 'P')
    const known = CLASSES[next]
    if (known !== undefined) return known
    const control = CONTROLS[next]
    if (control !== undefined) return this.#character(control)
    if (next === 'x') return this.#hexadecimal(2)
    if (next === 'u') return this.#hexadecimal(4)
    if (/^[1-9k]$/.test(next)) throw new RegexError('refers back to a group, which this router has not')
    if (/^[A-Za-z0-9]$/.test(next)) throw new RegexError(`has \\${next}, which means nothing here`)
    return this.#one(next)
  }

  #property(isNegated: boolean): CharacterSet {
    let name = this.#peek()
    this.#at += 1
    if (name === '{') {
      const end = this.#characters.indexOf('}', this.#at)
      name = end === -1 ? '' : this.#characters.slice(this.#at, end).join('')
      this.#at = end + 1
    }
    if (!/^[\w=]{1,40}$/.test(name)) throw new RegexError('has a \\p without the name of a property, such as \\p{L}')
    const key = `${isNegated ? 'P' : 'p'} ${name}`
    const known = this.#properties.get(key)
    if (known !== undefined) return known
    // One that is negated means what it says: both cases of a letter are no letter's.
    const isCaseSensitive = this.#isCaseSensitive || isNegated
    const property = propertySet(name, isCaseSensitive) ?? propertySet(`sc=${name}`, isCaseSensitive)
    if (property === null) throw new RegexError(`has \\p{${name}}, which is no property of Unicode`)
    const set = isNegated ? noneOf(property) : property
    this.#properties.set(key, set)
    return set
  }

  #hexadecimal(digits: number): CharacterSet {
    const rest = this.#characters.slice(this.#at, this.#at + 10).join('')
    const [whole, inBraces, plain] =
      new RegExp(`^(?:\\{([0-9A-Fa-f]{1,6})\\}|([0-9A-Fa-f]{${digits}}))`).exec(rest) ?? []
    const code = Number.parseInt(inBraces ?? plain ?? '', 16)
    if (whole === undefined || code > 0x10ffff) throw new RegexError('has a \\x or \\u without its hexadecimal digits')
    this.#at += whole.length
    return this.#character(code)
  }

  #characterClass(): CharacterSet {
    const isNegated = this.#take('^')
    const sets: CharacterSet[] = []
    for (let isFirst = true; ; isFirst = false) {
      const next = this.#peek()
      if (next === '') throw new RegexError('has a [ without its ]')
      this.#at += 1
      if (next === ']' && !isFirst) break
      if (next === '[' && this.#peek() === ':')
        throw new RegexError('has a [:class:]; write \\p{L}, \\d or \\w instead')
      sets.push(this.#classPart(next))
    }
    return isNegated ? noneOf(anyOf(sets)) : anyOf(sets)
  }

  #classPart(first: string): CharacterSet {
    const isRange = (at: number) => this.#characters[at] === '-' && this.#characters[at + 1] !== ']'
    if (first === '\\' && !/^[\\\][^.\-/]$/.test(this.#peek())) return this.#escaped()
    const from = first === '\\' ? this.#takeOne() : first
    if (!isRange(this.#at)) return this.#one(from)
    this.#at += 1
    this.#take('\\')
    const to = this.#takeOne()
    const [least, most] = [from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0]
    if (to === '' || most < least) throw new RegexError(`has the range ${from}-${to}, whose end comes first`)
    return this.#range(least, most)
  }

  #one(wanted: string): CharacterSet {
    return this.#character(wanted.codePointAt(0) ?? 0)
  }

  #character(code: number): CharacterSet {
    return this.#isCaseSensitive ? oneCharacter(code) : oneInEitherCase(code)
  }

  #range(least: number, most: number): CharacterSet {
    return this.#isCaseSensitive ? characterRange(least, most) : rangeInEitherCase(least, most)
  }

  #peek(ahead = 0): string {
    return this.#characters[this.#at + ahead] ?? ''
  }

  #take(wanted: string): boolean {
    if (this.#peek() !== wanted) return false
    this.#at += 1
    return true
  }

  #takeOne(): string {
    const next = this.#peek()
    this.#at += 1
    return next
  }

  #takeText(text: string): boolean {
    if (this.#characters.slice(this.#at, this.#at + text.length).join('') !== text) return false
    this.#at += text.length
    return true
  }
}

function character(set: CharacterSet): RegexNode {
  return { kind: 'character', set }
}

function theOnly(parts: readonly RegexNode[], kind: 'all' | 'any'): RegexNode {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : { kind, parts }
}

const CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  D: noneOf(DIGITS),
  w: WORD_CHARACTERS,
  W: noneOf(WORD_CHARACTERS),
  s: SPACES,
  S: noneOf(SPACES),
}

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }
