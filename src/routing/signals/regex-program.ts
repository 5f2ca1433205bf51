// A parsed expression as the positions it can be at, and which follow on which: Glushkov's construction, with the ways
// between two characters that assertions allow kept apart.

import type { CharacterSet } from './regex-characters.ts'
import { type Assertion, RegexError, type RegexNode } from './regex-parse.ts'

/** So many that a step over all of them is a few machine words. */
export const MAX_POSITIONS = 128

type Step =
  | { readonly kind: 'character'; readonly position: number; next: number }
  | { readonly kind: 'assertion'; readonly assertion: Assertion; next: number }
  | { readonly kind: 'split'; next: number[] }
  | { readonly kind: 'accept' }

/** What is true of a place between two characters. */
export type Holds = (assertion: Assertion) => boolean

export interface RegexProgram {
  /** What each position takes. */
  readonly sets: readonly CharacterSet[]
  readonly hasAssertions: boolean
  /** Positions that can come first, and whether nothing need come at all. */
  first(holds: Holds): Reachable
  /** The same after a position. */
  after(position: number, holds: Holds): Reachable
}

export interface Reachable {
  readonly positions: readonly number[]
  readonly accepts: boolean
}

/** Throws `RegexError` for one that is too large. */
export function compileProgram(root: RegexNode): RegexProgram {
  return new Compiler().compile(root)
}

class Compiler {
  readonly #steps: Step[] = []
  readonly #sets: CharacterSet[] = []
  readonly #stepOf: number[] = []
  #hasAssertions = false

  compile(root: RegexNode): RegexProgram {
    const accept = this.#add({ kind: 'accept' })
    const entry = this.#build(root, accept)
    const nextOf = (position: number) => {
      const step = this.#steps[this.#stepOf[position] ?? 0]
      return step?.kind === 'character' ? step.next : accept
    }
    return {
      sets: this.#sets,
      hasAssertions: this.#hasAssertions,
      first: (holds) => this.#reach(entry, holds),
      after: (position, holds) => this.#reach(nextOf(position), holds),
    }
  }

  /** Steps for a node; returns where it begins, given where it goes on. */
  #build(node: RegexNode, next: number): number {
    switch (node.kind) {
      case 'character': {
        const position = this.#sets.length
        if (position === MAX_POSITIONS) {
          throw new RegexError(`matches more than ${MAX_POSITIONS} characters when its repeats are written out`)
        }
        this.#sets.push(node.set)
        const at = this.#add({ kind: 'character', position, next })
        this.#stepOf.push(at)
        return at
      }
      case 'assertion':
        this.#hasAssertions = true
        return this.#add({ kind: 'assertion', assertion: node.assertion, next })
      case 'all':
        return node.parts.reduceRight((after, part) => this.#build(part, after), next)
      case 'any':
        return this.#add({ kind: 'split', next: node.parts.map((part) => this.#build(part, next)) })
      case 'repeat':
        return this.#repeat(node, next)
    }
  }

  #repeat({ part, least, most }: Extract<RegexNode, { kind: 'repeat' }>, next: number): number {
    let at = next
    if (most === null) {
      const loop: Extract<Step, { kind: 'split' }> = { kind: 'split', next: [] }
      const entry = this.#add(loop)
      loop.next = [this.#build(part, entry), next]
      at = entry
    } else {
      for (let optional = least; optional < most; optional += 1) {
        at = this.#add({ kind: 'split', next: [this.#build(part, at), next] })
      }
    }
    for (let count = 0; count < least; count += 1) at = this.#build(part, at)
    return at
  }

  #add(step: Step): number {
    // Repeats of what takes no character would grow without end.
    if (this.#steps.length > MAX_POSITIONS * 16) throw new RegexError('is too large when its repeats are written out')
    this.#steps.push(step)
    return this.#steps.length - 1
  }

  #reach(from: number, holds: Holds): Reachable {
    const positions: number[] = []
    let accepts = false
    const seen = new Set<number>()
    const left = [from]
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      if (seen.has(at)) continue
      seen.add(at)
      const step = this.#steps[at]
      if (step === undefined) continue
      if (step.kind === 'accept') accepts = true
      else if (step.kind === 'character') positions.push(step.position)
      else if (step.kind === 'split') left.push(...step.next)
      else if (holds(step.assertion)) left.push(step.next)
    }
    return { positions, accepts }
  }
}
