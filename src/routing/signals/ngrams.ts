// Keywords by the pieces of words that a text shares with them: short runs of letters, those at the ends of words counted
// with the space there. What is spelt nearly alike, or goes on with another ending, shares most of them.

import { wordsOf } from './words.ts'

/** From here on a shared beginning or ending is not enough: `agent` comes to 0.6 of `urgent`. */
export const USUAL_SIMILARITY = 0.7
export const USUAL_ARITY = 3

interface Keyword {
  readonly text: string
  readonly size: number
}

/** A piece, and the keywords with how often each has it. */
interface Gram {
  readonly holders: { readonly keyword: number; readonly count: number }[]
  /** The run it was last met in, and how often there: of repeats as many are shared as both have. */
  run: number
  times: number
}

interface Group {
  readonly keywords: Keyword[]
  readonly grams: Map<string, Gram>
}

/** The keywords of a rule, found in texts. Everything is folded alike before it comes here. */
export class NgramIndex {
  readonly #arity: number
  readonly #ends: string
  /** By how many words they have: runs of as many are compared with them. */
  readonly #byWords = new Map<number, Group>()

  constructor(keywords: readonly string[], arity: number) {
    this.#arity = arity
    this.#ends = ' '.repeat(arity - 1)
    for (const text of new Set(keywords)) {
      const words = wordsOf(text)
      const group = this.#byWords.get(words.length) ?? { keywords: [], grams: new Map<string, Gram>() }
      if (words.length > 0) this.#byWords.set(words.length, group)
      this.#add(text, words.join(' '), group)
    }
  }

  /** Keywords to which some run of as many words is as similar as `threshold` says. */
  find(text: string, threshold: number): ReadonlySet<string> {
    const found = new Set<string>()
    const words = wordsOf(text)
    for (const [count, group] of this.#byWords) {
      const runs = runsOf(words, count)
      const shared = new Int32Array(group.keywords.length)
      const [shortest, longest] = sizesNear(group.keywords, threshold)
      for (const gram of group.grams.values()) gram.run = -1
      let run = 0
      for (const letters of runs) {
        const padded = this.#ends + letters + this.#ends
        if (this.#sizeOf(padded) < shortest || this.#sizeOf(padded) > longest) continue
        for (const index of this.#share(padded, run, { group, shared })) {
          const { text: keyword = '', size = 0 } = group.keywords[index] ?? {}
          if (similarity(shared[index] ?? 0, this.#sizeOf(padded), size) >= threshold) found.add(keyword)
          shared[index] = 0
        }
        run += 1
      }
    }
    return found
  }

  #add(text: string, letters: string, { keywords, grams }: Group): void {
    const padded = this.#ends + letters + this.#ends
    const keyword = keywords.push({ text, size: this.#sizeOf(padded) }) - 1
    const counts = new Map<string, number>()
    for (let at = 0; at < this.#sizeOf(padded); at += 1) {
      const gram = padded.slice(at, at + this.#arity)
      counts.set(gram, (counts.get(gram) ?? 0) + 1)
    }
    for (const [gram, count] of counts) {
      const known = grams.get(gram) ?? { holders: [], run: -1, times: 0 }
      grams.set(gram, known)
      known.holders.push({ keyword, count })
    }
  }

  /** Adds up what each keyword shares with a run; says which share anything. */
  #share(padded: string, run: number, { group, shared }: { group: Group; shared: Int32Array }): readonly number[] {
    const touched: number[] = []
    for (let at = 0; at < this.#sizeOf(padded); at += 1) {
      const gram = group.grams.get(padded.slice(at, at + this.#arity))
      if (gram === undefined) continue
      gram.times = gram.run === run ? gram.times + 1 : 1
      gram.run = run
      for (const { keyword, count } of gram.holders) {
        if (gram.times > count) continue
        if (shared[keyword] === 0) touched.push(keyword)
        shared[keyword] = (shared[keyword] ?? 0) + 1
      }
    }
    return touched
  }

  #sizeOf(padded: string): number {
    return padded.length - this.#arity + 1
  }
}

function runsOf(words: readonly string[], count: number): ReadonlySet<string> {
  if (count === 1) return new Set(words)
  const runs = new Set<string>()
  for (let at = 0; at + count <= words.length; at += 1) runs.add(words.slice(at, at + count).join(' '))
  return runs
}

/** Of how many pieces a run can be that is near to any of the keywords: the shared ones are at most all of the shorter. */
function sizesNear(keywords: readonly Keyword[], threshold: number): readonly [shortest: number, longest: number] {
  const sizes = keywords.map(({ size }) => size)
  const share = 1 - Math.sqrt(1 - threshold)
  return [Math.min(...sizes) * share - 1, Math.max(...sizes) / share + 1]
}

/** One less the square of the share that is not common, as the semantic router has it. */
function similarity(shared: number, one: number, other: number): number {
  const all = one + other - shared
  const apart = (all - shared) / all
  return 1 - apart * apart
}
