// JSON text in a form that two texts share only if they mean the same: blanks dropped, the members of every object in the
// order of their keys. Made from the text and not from parsed values, as those make one number of 12345678901234567890
// and 12345678901234567891, and drop repeated keys. What else differs (1 and 1.0, an escape) stays different: a cache
// then misses, and never gives the answer to another question.

/** A member of an object; the key as it is written, with quotes and escapes. */
export interface CanonicalMember {
  readonly key: string
  readonly value: string
}

/** The canonical form of a text that is known to be one JSON document, nested no deeper than the stack goes. */
export function canonicalOf(json: string): string {
  return new Reader(json).value()
}

/** The members of an object, in canonical order and form; repeated keys stay in the order they came in. */
export function canonicalMembers(json: string): readonly CanonicalMember[] {
  return new Reader(json).members()
}

/** The items of an array, each in canonical form. */
export function canonicalItems(json: string): readonly string[] {
  return new Reader(json).items()
}

export function joinMembers(members: readonly CanonicalMember[]): string {
  return `{${members.map(({ key, value }) => `${key}:${value}`).join(',')}}`
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COMMA = 0x2c

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): string {
    const first = this.#next()
    if (first === OPEN_BRACE) return joinMembers(this.members())
    if (first === OPEN_BRACKET) return `[${this.items().join(',')}]`
    return first === QUOTE ? this.#string() : this.#literal()
  }

  members(): CanonicalMember[] {
    const members: CanonicalMember[] = []
    this.#next()
    this.#at += 1
    while (this.#next() !== CLOSE_BRACE) {
      if (this.#text.charCodeAt(this.#at) === COMMA) {
        this.#at += 1
        this.#next()
      }
      const key = this.#string()
      this.#next() // the colon
      this.#at += 1
      members.push({ key, value: this.value() })
    }
    this.#at += 1
    // Sorting is stable, so of a repeated key it stays known which came last.
    return members.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
  }

  items(): string[] {
    const items: string[] = []
    this.#next()
    this.#at += 1
    while (this.#next() !== CLOSE_BRACKET) {
      if (this.#text.charCodeAt(this.#at) === COMMA) this.#at += 1
      items.push(this.value())
    }
    this.#at += 1
    return items
  }

  /** Passes over blanks. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.#at += 1
      code = this.#text.charCodeAt(this.#at)
    }
    if (Number.isNaN(code)) throw new SyntaxError('the text ends in the middle of a JSON document')
    return code
  }

  #string(): string {
    const start = this.#at
    let end = start
    do {
      end = this.#text.indexOf('"', end + 1)
      if (end === -1) throw new SyntaxError('a string of the JSON document has no end')
    } while (this.#isEscaped(end))
    this.#at = end + 1
    return this.#text.slice(start, this.#at)
  }

  #isEscaped(at: number): boolean {
    let slashes = 0
    while (this.#text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1
    return slashes % 2 === 1
  }

  #literal(): string {
    const start = this.#at
    while (isInLiteral(this.#text.charCodeAt(this.#at))) this.#at += 1
    return this.#text.slice(start, this.#at)
  }
}

/** Of a number, `true`, `false` or `null`; not what may follow one, nor the end of the text. */
function isInLiteral(code: number): boolean {
  return code > 0x20 && code !== COMMA && code !== CLOSE_BRACKET && code !== CLOSE_BRACE
}
