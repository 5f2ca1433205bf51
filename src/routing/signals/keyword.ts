// `keyword`: whether words or phrases stand in what is asked. Words are words: `cat` is not found in `category`.

import { Bm25 } from './bm25.ts'
import type { LinearRegex } from './linear-regex.ts'
import { NearbyWords, toMisspellable, wantedLengths } from './nearby-words.ts'
import { NgramIndex, USUAL_ARITY, USUAL_SIMILARITY } from './ngrams.ts'
import { PhraseIndex } from './phrase-index.ts'
import type { EdgeSignal, SignalOutcome } from './signal.ts'
import { foldText } from './words.ts'

export type KeywordMethod = 'words' | 'regex' | 'bm25' | 'ngram'

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
  /** Of `ngram`: how similar it has to be, and how many letters a piece has; the usual without it. */
  readonly ngrams?: { readonly threshold: number; readonly arity: number }
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
  if (rule.method === 'ngram') {
    const phrases = folded.map(({ phrase }) => phrase)
    const { threshold, arity } = rule.ngrams ?? { threshold: USUAL_SIMILARITY, arity: USUAL_ARITY }
    const grams = new NgramIndex(phrases, arity)
    return (text) => {
      const found = grams.find(foldText(text, isCaseSensitive), threshold)
      return folded.filter(({ phrase }) => found.has(phrase)).map(({ keyword }) => keyword)
    }
  }
  const index = new PhraseIndex(folded.map(({ phrase }) => phrase))
  const { fuzzy } = rule
  const wanted = folded.map(({ keyword, phrase }) => {
    return { keyword, phrase, misspellable: fuzzy === null ? null : toMisspellable(keyword, fuzzy.distance) }
  })
  const lengths = wantedLengths(wanted.flatMap(({ misspellable }) => (misspellable === null ? [] : [misspellable])))
  return (text) => {
    const found = index.find(foldText(text, isCaseSensitive))
    const nearby = fuzzy === null ? null : new NearbyWords(text, lengths)
    return wanted.flatMap(({ keyword, phrase, misspellable }) => {
      if (found.has(phrase)) return [keyword]
      return misspellable !== null && nearby?.has(misspellable) === true ? [`${keyword} (fuzzy)`] : []
    })
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
