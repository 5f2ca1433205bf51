// BM25 over the keywords of one rule: each is a document, and the text asks for them. Okapi's formula with its usual
// constants, k1 = 1.2 and b = 0.75.

import { naturalLog } from '../natural-log.ts'
import { wordsOf } from './words.ts'

const K1 = 1.2
const B = 0.75

interface Keyword {
  readonly text: string
  readonly counts: ReadonlyMap<string, number>
  readonly length: number
}

/** Scores the keywords of a rule against texts. Everything is folded alike before it comes here. */
export class Bm25 {
  readonly #keywords: readonly Keyword[]
  readonly #averageLength: number
  readonly #rarity: ReadonlyMap<string, number>

  constructor(keywords: readonly string[]) {
    this.#keywords = keywords.map((text) => {
      const stems = wordsOf(text).map(stemOf)
      return { text, counts: countsOf(stems), length: stems.length }
    })
    const total = this.#keywords.reduce((sum, { length }) => sum + length, 0)
    this.#averageLength = Math.max(1, total / Math.max(1, keywords.length))
    const terms = new Set(this.#keywords.flatMap(({ counts }) => [...counts.keys()]))
    this.#rarity = new Map([...terms].map((term) => [term, this.#rarityOf(term)]))
  }

  /** Keywords that the text is about: with a threshold those that score it, without one those all of whose words occur. */
  find(text: string, threshold: number | null): readonly string[] {
    const occurring = countsOf(wordsOf(text).map(stemOf))
    const isFound = (keyword: Keyword) =>
      threshold === null ? holdsAll(keyword, occurring) : this.#score(keyword, occurring) >= threshold
    return this.#keywords.filter(isFound).map((keyword) => keyword.text)
  }

  #score({ counts, length }: Keyword, occurring: ReadonlyMap<string, number>): number {
    let score = 0
    for (const [term, count] of counts) {
      const weight = (count * (K1 + 1)) / (count + K1 * (1 - B + (B * length) / this.#averageLength))
      score += (occurring.get(term) ?? 0) * (this.#rarity.get(term) ?? 0) * weight
    }
    return score
  }

  #rarityOf(term: string): number {
    const holding = this.#keywords.filter(({ counts }) => counts.has(term)).length
    return naturalLog(1 + (this.#keywords.length - holding + 0.5) / (holding + 0.5))
  }
}

function holdsAll({ counts, length }: Keyword, occurring: ReadonlyMap<string, number>): boolean {
  return length > 0 && [...counts.keys()].every((term) => occurring.has(term))
}

function countsOf(terms: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1)
  return counts
}

/** English endings off, so that `refunds` and `refunded` are `refund`; what is no English word stays as it is. */
function stemOf(word: string): string {
  if (!/^[a-z]{4,}$/.test(word)) return word
  const ending = /(?:ies|ing|ed|es|s)$/.exec(word)?.[0] ?? ''
  const stem = word.slice(0, word.length - ending.length)
  if (stem.length < 3 || word.endsWith('ss')) return word
  if (ending === 'ies') return `${stem}y`
  return stem.replace(/e$/, '')
}
