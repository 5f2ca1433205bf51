// The contract for putting a stream's events together, and the bound on what that may hold.

/** Collects what the events of one answer say. */
export interface Assembly {
  /** Takes the parsed data of one event. */
  add(event: unknown, budget: TextBudget): void
  /** The answer as far as it has come; null while no event has said anything. */
  result(): object | null
}

/** What a part of an answer costs beside its text. */
const PART_LENGTH = 16

/** What an id, a type or a role may take without counting: the part that it belongs to has paid for that. */
const SMALL_VALUE_LENGTH = 2 * PART_LENGTH

/** How much text an assembly may still take, in units of UTF-16, each of which is a byte of an answer at least. */
export class TextBudget {
  readonly #length: number
  #left: number
  #isSpent = false
  #hasLeftOut = false

  constructor(length: number) {
    this.#length = length
    this.#left = length
  }

  /** Whether there is no room for anything more. */
  get isSpent(): boolean {
    return this.#isSpent
  }

  /** Whether something had to be left out. */
  get hasLeftOut(): boolean {
    return this.#isSpent || this.#hasLeftOut
  }

  /** As much of a text as there is room for. */
  take(text: string): string {
    if (text.length <= this.#left) {
      this.#left -= text.length
      return text
    }
    // Between the two halves of a character there is no place to cut.
    const end = isHighSurrogate(text.charCodeAt(this.#left - 1)) ? this.#left - 1 : this.#left
    const taken = text.slice(0, end)
    this.#left = 0
    this.#isSpent = true
    return taken
  }

  /** A value of a part, as it came; undefined when there is no room for its JSON. */
  takeValue(value: unknown): unknown {
    const cost = Math.max(0, jsonLength(value) - SMALL_VALUE_LENGTH)
    if (cost <= this.#left) {
      this.#left -= cost
      return value
    }
    this.#isSpent = true
    return undefined
  }

  /** Whether one of the few values that an answer has once may be held: not when it would fill the answer by itself. */
  holds(value: unknown): boolean {
    if (jsonLength(value) <= this.#length) return true
    this.#hasLeftOut = true
    return false
  }

  /** Room for one more part, such as a choice or a tool call. */
  takePart(): boolean {
    if (this.#left >= PART_LENGTH) {
      this.#left -= PART_LENGTH
      return true
    }
    this.#isSpent = true
    return false
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** What is nested too deeply to be written has no end. */
function jsonLength(value: unknown): number {
  if (typeof value === 'string') return value.length
  try {
    return JSON.stringify(value)?.length ?? 0
  } catch {
    // Parsing goes deeper than writing does, and a worker may send what it likes.
    return Infinity
  }
}

/** Texts by the name of their field, in the order in which they began. */
export class TextFields {
  readonly #texts = new Map<string, string[]>()

  /** Adds to a text when there is any. */
  append(name: string, text: unknown, budget: TextBudget): void {
    if (typeof text !== 'string') return
    const pieces = this.#texts.get(name) ?? this.#begin(name, budget)
    if (text !== '') pieces?.push(budget.take(text))
  }

  #begin(name: string, budget: TextBudget): string[] | null {
    if (!budget.takePart()) return null
    const pieces: string[] = []
    this.#texts.set(name, pieces)
    return pieces
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(Array.from(this.#texts, ([name, pieces]) => [name, pieces.join('')]))
  }
}

/** The parts of an answer by their index, each made when it is first met; null when there is no room for it. */
export class Parts<Part> {
  readonly #parts = new Map<number, Part>()
  readonly #create: () => Part

  constructor(create: () => Part) {
    this.#create = create
  }

  at(index: unknown, budget: TextBudget): Part | null {
    const place = typeof index === 'number' ? index : 0
    const known = this.#parts.get(place)
    if (known !== undefined) return known
    if (!budget.takePart()) return null
    const part = this.#create()
    this.#parts.set(place, part)
    return part
  }

  inOrder(): readonly (readonly [number, Part])[] {
    return [...this.#parts].sort(([one], [other]) => one - other)
  }
}
