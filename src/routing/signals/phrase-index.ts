// Many phrases looked for in one pass over a text: each by its rarest word, which is looked up for every word there is.

import { hasPhrase, isOpenEnded, isPhraseAt, wordPlaces } from './words.ts'

/** Fewer are looked for one by one, which the engine does faster. */
const FEW = 16

interface Anchored {
  readonly phrase: string
  /** How far into the phrase its rarest word begins. */
  readonly offset: number
}

export class PhraseIndex {
  readonly #byWord = new Map<string, Anchored[]>()
  /** Those that have no word of their own, or are too few to be worth it. */
  readonly #rest: readonly string[]

  /** Phrases are folded as texts will be. */
  constructor(phrases: readonly string[]) {
    const distinct = [...new Set(phrases)]
    const words = distinct.map((phrase) => (distinct.length < FEW ? [] : wholeWords(phrase)))
    const shared = new Map<string, number>()
    for (const { word } of words.flat()) shared.set(word, (shared.get(word) ?? 0) + 1)
    const rest: string[] = []
    for (const [index, phrase] of distinct.entries()) {
      const sharedBy = ({ word }: { readonly word: string }) => shared.get(word) ?? 0
      const [first, ...others] = words[index] ?? []
      if (first === undefined) {
        rest.push(phrase)
        continue
      }
      const { word, at } = others.reduce((rarest, one) => (sharedBy(one) < sharedBy(rarest) ? one : rarest), first)
      const anchored = this.#byWord.get(word) ?? []
      this.#byWord.set(word, anchored)
      anchored.push({ phrase, offset: at })
    }
    this.#rest = rest
  }

  /** Those that stand in the text and are no part of longer words. */
  find(text: string): ReadonlySet<string> {
    const found = new Set(this.#rest.filter((phrase) => hasPhrase(text, phrase)))
    if (this.#byWord.size === 0) return found
    for (const { word, at } of wordPlaces(text)) {
      for (const { phrase, offset } of this.#byWord.get(word) ?? []) {
        if (!found.has(phrase) && isPhraseAt(text, phrase, at - offset)) found.add(phrase)
      }
    }
    return found
  }
}

/** Words that a text with the phrase in it has as well: one whose end is open may go on there. */
function wholeWords(phrase: string) {
  return [...wordPlaces(phrase)].filter(({ word, at }) => at + word.length < phrase.length || !isOpenEnded(word))
}
