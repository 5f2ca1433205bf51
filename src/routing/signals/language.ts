// `language`: which language a text is in, by its script and, where several languages share one, by the little words that
// each of them can't do without. Coarse, quick, and the same everywhere; it says nothing of texts too short to tell.

import { SCRIPTS, TRAITS } from './language-traits.ts'
import type { EdgeSignal } from './signal.ts'

export interface LanguageRule {
  /** ISO 639-1. */
  readonly name: string
  /** How much more has to speak for the language than for the next: from a half for as much to 1 for all of it. */
  readonly threshold: number
}

export const LANGUAGES: readonly string[] = [...SCRIPTS.map(([code]) => code), ...Object.keys(TRAITS)].sort()

/** How much of a text is looked at: its beginning says what the rest will. */
const MAX_LENGTH = 4_096

export interface DetectedLanguage {
  readonly code: string
  readonly confidence: number
}

/** Null where nothing in it tells. */
export type DetectLanguage = (text: string) => DetectedLanguage | null

/** Puts what is known of languages in order once, for all texts. */
export function createLanguageDetector(): DetectLanguage {
  const hints = collectHints()
  return (text) => {
    const beginning = text.slice(0, MAX_LENGTH).toLowerCase().normalize('NFC')
    const letters = beginning.match(/\p{L}/gu)?.length ?? 0
    if (letters === 0) return null
    return byScript(beginning, letters) ?? byHints(beginning, hints)
  }
}

/** A character of these says as much as several letters. */
const DENSE = 3

function byScript(text: string, letters: number): DetectedLanguage | null {
  const counts = SCRIPTS.map(([code, letter]) => ({ code, count: text.match(letter)?.length ?? 0 }))
  const [japanese, han, ...others] = counts
  if (japanese === undefined || han === undefined) return null
  // Japanese is written in Han too, and Chinese never in kana.
  const both = japanese.count + han.count
  const eastAsian = { code: japanese.count > 0.05 * letters ? 'ja' : 'zh', count: both * DENSE }
  const all = letters - both + both * DENSE
  const best = [eastAsian, ...others].reduce((most, one) => (one.count > most.count ? one : most))
  // Names and code are written in Latin everywhere, so half of a text is all that can be asked for.
  return best.count >= 0.3 * all ? { code: best.code, confidence: round(Math.min(1, (2 * best.count) / all)) } : null
}

/** What a hint is worth to each language that has it: the more have it, the less it says. */
type Hints = ReadonlyMap<string, readonly string[]>

interface AllHints {
  readonly words: Hints
  readonly letters: Hints
  readonly endings: Hints
}

const WORTH = { words: 2, letters: 1.5, endings: 0.5 }
const LONGEST_ENDING = 4

function collectHints(): AllHints {
  const collect = (of: (code: string) => readonly string[]): Hints => {
    const hints = new Map<string, string[]>()
    for (const code of Object.keys(TRAITS)) {
      for (const hint of new Set(of(code))) hints.set(hint, [...(hints.get(hint) ?? []), code])
    }
    return hints
  }
  return {
    words: collect((code) => (TRAITS[code]?.words ?? '').split(' ')),
    letters: collect((code) => [...(TRAITS[code]?.letters ?? '')]),
    endings: collect((code) => (TRAITS[code]?.endings ?? '').split(' ')),
  }
}

function byHints(text: string, { words, letters, endings }: AllHints): DetectedLanguage | null {
  const scores = new Map<string, number>()
  const add = (codes: readonly string[] = [], worth: number) => {
    for (const code of codes) scores.set(code, (scores.get(code) ?? 0) + worth / codes.length)
  }
  for (const [word] of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    add(words.get(word), WORTH.words)
    for (const letter of new Set(word)) add(letters.get(letter), WORTH.letters)
    for (let length = 2; length <= LONGEST_ENDING && length < word.length - 1; length += 1) {
      add(endings.get(word.slice(-length)), WORTH.endings)
    }
  }
  for (const sign of text.match(/[¿¡]/gu) ?? []) add(letters.get(sign), WORTH.letters)
  const [best, rival] = [...scores].map(([code, score]) => ({ code, score })).sort((a, b) => b.score - a.score)
  if (best === undefined) return null
  return { code: best.code, confidence: round(best.score / (best.score + (rival?.score ?? 0))) }
}

function round(share: number): number {
  return Math.round(share * 10_000) / 10_000
}

/** `detect` is shared by all rules: a text is looked at once. */
export function languageSignal({ name, threshold }: LanguageRule, detect: DetectLanguage): EdgeSignal {
  return {
    family: 'language',
    name,
    read({ text }) {
      const found = detect(text)
      if (found === null) return { kind: 'not_matched', because: 'nothing tells which language it is in' }
      const because = `it looks like ${found.code}`
      const isMatched = found.code === name && found.confidence >= threshold
      if (isMatched) return { kind: 'matched', confidence: found.confidence, because }
      return { kind: 'not_matched', because: found.code === name ? `${because}, not surely enough` : because }
    },
  }
}
