// What belongs to a name and its label values, found one value after the other: to write them into one key for each request
// costs more than to count it.

/** A place for what is looked for; null until somebody has put it there. */
export interface Slot<Value> {
  value: Value | null
}

class Branch<Value> implements Slot<Value> {
  value: Value | null = null
  readonly #next = new Map<string, Branch<Value>>()

  under(word: string): Branch<Value> {
    const known = this.#next.get(word)
    if (known !== undefined) return known
    const fresh = new Branch<Value>()
    this.#next.set(word, fresh)
    return fresh
  }
}

/** Grows with each combination that is asked for; whoever has one bounds them, or begins anew. */
export class LabelTree<Value> {
  readonly #root = new Branch<Value>()

  slot(name: string, values: readonly string[]): Slot<Value> {
    let branch = this.#root.under(name)
    for (const value of values) branch = branch.under(value)
    return branch
  }
}
