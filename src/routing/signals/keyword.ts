// `keyword`: whether words or phrases stand in what is asked. Words are words: `cat` is not found in `category`.

import { Bm25 } from './bm25.ts'
import { isWithinDistance, largestDistance, LONGEST_FUZZY, usualDistance } from './edit-distance.ts'
import type { LinearRegex } from './linear-regex.ts'
import type { EdgeSignal, SignalOutcome } from './signal.ts'
import { foldText, hasPhrase, wordsOf } from './words.ts'

export type KeywordMethod = 'words' | 'regex' | 'bm25'

export interface KeywordRule {
  readonly name: string
  /** All of them, one at least, or none. */
  readonly operator: 'AND' | 'OR' | 'NOR'
  readonly keywords: readonly string[]
  readonly isCaseSensitive: boolean
  readonly method: KeywordMethod
  /** Letters that may be wrong, by the keyword's length where `distance` is null; null for none at all. */
  readonly fuzzy: { readonly distance: number | null } | null
  /** Null when every word of a keyword has to occur. */
  readonly bm25Threshold: number | null
}

/** `compile` gives the expression of a keyword; it has been checked. */
export function keywordSignal(rule: KeywordRule, compile: (pattern: string) => LinearRegex): EdgeSignal {
  const find = finderOf(rule, compile)
  return {
    family: 'keyword',
    name: rule.name,
    read: ({ text }) => toOutcome(rule, find(text)),
  }
}

/** Finds which keywords stand in a text, as they are reported. */
type Finder = (text: string) => readonly string[]

function finderOf(rule: KeywordRule, compile: (pattern: string) => LinearRegex): Finder {
  const { keywords, isCaseSensitive } = rule
  if (rule.method === 'regex') {
    const compiled = keywords.map((pattern) => ({ pattern, regex: compile(pattern) }))
    return (text) => compiled.filter(({ regex }) => regex.test(text)).map(({ pattern }) => pattern)
  }
  const folded = keywords.map((keyword) => ({ keyword, phrase: foldText(keyword, isCaseSensitive) }))
  if (rule.method === 'bm25') {
    const index = new Bm25(folded.map(({ phrase }) => phrase))
    return (text) => {
      const found = new Set(index.find(foldText(text, isCaseSensitive), rule.bm25Threshold))
      return folded.filter(({ phrase }) => found.has(phrase)).map(({ keyword }) => keyword)
    }
  }
  const { fuzzy } = rule
  return (text) => {
    const within = foldText(text, isCaseSensitive)
    const nearby = fuzzy === null ? null : createNearby(text, fuzzy.distance)
    return folded.flatMap(({ keyword, phrase }) => {
      if (hasPhrase(within, phrase)) return [keyword]
      return nearby?.(keyword) === true ? [`${keyword} (fuzzy)`] : []
    })
  }
}

/** Whether as many words in a row as a keyword has come near it. Case does not count: it is what is mistyped most. */
function createNearby(text: string, distance: number | null): (keyword: string) => boolean {
  const words = wordsOf(foldText(text, false))
  const byCount = new Map<number, readonly (readonly string[])[]>()
  const runsOf = (count: number) => {
    const known = byCount.get(count)
    if (known !== undefined) return known
    const runs = new Set<string>()
    for (let at = 0; at + count <= words.length; at += 1) runs.add(words.slice(at, at + count).join(''))
    const letters = [...runs].map((run) => [...run])
    byCount.set(count, letters)
    return letters
  }
  return (keyword) => {
    const wanted = wordsOf(foldText(keyword, false))
    const letters = [...wanted.join('')]
    if (letters.length > LONGEST_FUZZY.letters || wanted.length > LONGEST_FUZZY.words) return false
    const limit = Math.min(distance ?? usualDistance(letters.length), largestDistance(letters.length))
    return limit > 0 && runsOf(wanted.length).some((run) => isWithinDistance(run, letters, limit))
  }
}

function toOutcome({ operator, keywords }: KeywordRule, found: readonly string[]): SignalOutcome {
  const listed = found.map((keyword) => JSON.stringify(keyword)).join(', ')
  if (operator === 'NOR') {
    return found.length === 0
      ? { kind: 'matched', confidence: 1, because: 'none of its keywords occurs' }
      : { kind: 'not_matched', because: `${listed} occurs` }
  }
  const isMatched = operator === 'AND' ? found.length === keywords.length : found.length > 0
  if (isMatched) return { kind: 'matched', confidence: 1, because: listed }
  if (found.length === 0) return { kind: 'not_matched', because: 'none of its keywords occurs' }
  return { kind: 'not_matched', because: `only ${listed} of ${keywords.length} keywords` }
}
