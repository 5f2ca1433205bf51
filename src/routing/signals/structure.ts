// `structure`: what a text looks like: how often something occurs in it, how densely, in which order, and how long it is.

import type { LinearRegex } from './linear-regex.ts'
import { naturalExponent } from './natural-exponent.ts'
import { type Bounds, boundsInWords, isWithin } from './predicate.ts'
import type { EdgeSignal } from './signal.ts'
import { countPhrase, foldText, wordsOf } from './words.ts'

export type StructureSource =
  | { readonly type: 'regex'; readonly pattern: string; readonly isCaseSensitive: boolean }
  | { readonly type: 'keyword_set'; readonly keywords: readonly string[]; readonly isCaseSensitive: boolean }
  /** Lists of markers that follow one another. */
  | { readonly type: 'sequence'; readonly sequences: readonly (readonly string[])[]; readonly isCaseSensitive: boolean }
  | { readonly type: 'text_bytes' }

export interface StructureRule {
  readonly name: string
  /** `density` is a count per word; of scripts without spaces each character is one. */
  readonly type: 'exists' | 'count' | 'density' | 'sequence'
  readonly source: StructureSource
  /** Null for more than none. */
  readonly bounds: Bounds | null
}

/** `compile` gives the expression of a source; it has been checked. */
export function structureSignal(
  { name, type, source, bounds }: StructureRule,
  compile: (pattern: string, isCaseSensitive: boolean) => LinearRegex,
): EdgeSignal {
  const measure = measureOf(source, compile)
  return {
    family: 'structure',
    name,
    read({ text }) {
      const count = measure(text)
      const value = type === 'density' ? count / Math.max(1, wordsOf(text).length) : count
      const shown = `${type === 'density' ? 'density' : source.type} ${Number(value.toFixed(4))}`
      if (bounds === null || type === 'exists') {
        if (value > 0) return { kind: 'matched', confidence: 1, because: shown }
        return { kind: 'not_matched', because: shown }
      }
      const because = `${shown}, wanted ${boundsInWords(bounds)}`
      if (!isWithin(value, bounds)) return { kind: 'not_matched', because }
      return { kind: 'matched', confidence: confidenceOf(value, bounds), because }
    },
  }
}

/** Sure where a value is far from the bound, and no better than even at it. */
function confidenceOf(value: number, { gt, gte, lt, lte }: Bounds): number {
  const bound = gt ?? gte ?? lt ?? lte
  if (bound === null) return 1
  return Math.max(0.5, 1 / (1 + naturalExponent(-4 * Math.abs(value - bound))))
}

function measureOf(
  source: StructureSource,
  compile: (pattern: string, isCaseSensitive: boolean) => LinearRegex,
): (text: string) => number {
  switch (source.type) {
    case 'text_bytes':
      return (text) => new TextEncoder().encode(text).length
    case 'regex': {
      const regex = compile(source.pattern, source.isCaseSensitive)
      return (text) => regex.count(text)
    }
    case 'keyword_set': {
      const phrases = source.keywords.map((keyword) => foldText(keyword, source.isCaseSensitive))
      return (text) => {
        const folded = foldText(text, source.isCaseSensitive)
        return phrases.reduce((total, phrase) => total + countPhrase(folded, phrase), 0)
      }
    }
    case 'sequence': {
      const sequences = source.sequences.map((markers) => markers.map((one) => foldText(one, source.isCaseSensitive)))
      return (text) => {
        const folded = foldText(text, source.isCaseSensitive)
        return sequences.filter((markers) => isInOrder(folded, markers)).length
      }
    }
  }
}

function isInOrder(text: string, markers: readonly string[]): boolean {
  let from = 0
  for (const marker of markers) {
    const at = text.indexOf(marker, from)
    if (at === -1) return false
    from = at + marker.length
  }
  return markers.length > 0
}
