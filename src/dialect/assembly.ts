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

/** How much text an assembly may still take, in units of UTF-16, each of which is a byte of an answer at least. */
export class TextBudget {
  #left: number
  #isSpent = false

  constructor(length: number) {
    this.#left = length
  }

  /** Whether something had to be left out. */
  get isSpent(): boolean {
    return this.#isSpent
  }

  /** As much of a text as there is room for. */
  take(text: string): string {
    if (text.length <= this.#left) {
      this.#left -= text.length
      return text
    }
    const taken = text.slice(0, this.#left)
    this.#left = 0
    this.#isSpent = true
    return taken
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
