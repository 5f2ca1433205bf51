// Which keywords a text comes near to. Most words are told apart by their length and by which letters they have at all;
// only what is left is compared letter by letter.

import { isWithinDistance, largestDistance, LONGEST_FUZZY, usualDistance } from './edit-distance.ts'
import { foldText, wordsOf } from './words.ts'

/** A keyword made ready to be looked for. */
export interface Misspellable {
  readonly letters: readonly string[]
  readonly words: number
  readonly mask: number
  /** Letters that may be wrong; 0 for a keyword that is found as it stands only. */
  readonly limit: number
}

/** With no `distance` as many letters may be wrong as is usual for the keyword's length. */
export function toMisspellable(keyword: string, distance: number | null): Misspellable {
  const words = wordsOf(foldText(keyword, false))
  const whole = words.join('')
  const letters = [...whole]
  const isShort = letters.length <= LONGEST_FUZZY.letters && words.length <= LONGEST_FUZZY.words
  const limit = isShort ? Math.min(distance ?? usualDistance(letters.length), largestDistance(letters.length)) : 0
  return { letters, words: words.length, mask: letterMask(whole), limit }
}

/** By how many words a run has and how many letters, whether any keyword could be near it. */
export type WantedLengths = ReadonlyMap<number, readonly boolean[]>

export function wantedLengths(keywords: readonly Misspellable[]): WantedLengths {
  const wanted = new Map<number, boolean[]>()
  for (const { letters, words, limit } of keywords) {
    if (limit === 0) continue
    const lengths = wanted.get(words) ?? Array.from({ length: LONGEST_FUZZY.letters * 2 }, () => false)
    wanted.set(words, lengths.fill(true, letters.length - limit, letters.length + limit + 1))
  }
  return wanted
}

/** Runs of words that have as many letters, by where they begin. */
interface Runs {
  readonly starts: number[]
  readonly masks: number[]
}

export class NearbyWords {
  readonly #words: readonly string[]
  readonly #masks: Int32Array
  readonly #lengths: Int32Array
  readonly #wanted: WantedLengths
  /** By how many words a run has, and then by its letters. */
  readonly #runs = new Map<number, ReadonlyMap<number, Runs>>()

  constructor(text: string, wanted: WantedLengths) {
    this.#wanted = wanted
    this.#words = wordsOf(foldText(text, false))
    this.#masks = Int32Array.from(this.#words, letterMask)
    this.#lengths = Int32Array.from(this.#words, letterCount)
  }

  /** Whether as many words in a row as the keyword has come near it. Case does not count: it is what is mistyped most. */
  has({ letters, words, mask, limit }: Misspellable): boolean {
    if (limit === 0) return false
    const byLength = this.#runsOf(words)
    for (let length = letters.length - limit; length <= letters.length + limit; length += 1) {
      const { starts, masks } = byLength.get(length) ?? NONE
      for (let at = 0; at < masks.length; at += 1) {
        const other = masks[at] ?? 0
        // A letter put in, left out or exchanged adds one at most to what either has alone.
        if (hasMoreBits(other & ~mask, limit) || hasMoreBits(mask & ~other, limit)) continue
        const start = starts[at] ?? 0
        const run = this.#words.slice(start, start + words).join('')
        if (isWithinDistance([...run], letters, limit)) return true
      }
    }
    return false
  }

  #runsOf(count: number): ReadonlyMap<number, Runs> {
    const known = this.#runs.get(count)
    if (known !== undefined) return known
    const byLength = new Map<number, Runs>()
    const seen = new Set<string>()
    const wanted = this.#wanted.get(count) ?? []
    for (let start = 0; start + count <= this.#words.length; start += 1) {
      let length = 0
      let mask = 0
      for (let at = start; at < start + count; at += 1) {
        length += this.#lengths[at] ?? 0
        mask |= this.#masks[at] ?? 0
      }
      if (wanted[length] !== true) continue
      const word = this.#words[start] ?? ''
      if (count === 1 && seen.has(word)) continue
      if (count === 1) seen.add(word)
      const runs = byLength.get(length) ?? { starts: [], masks: [] }
      byLength.set(length, runs)
      runs.starts.push(start)
      runs.masks.push(mask)
    }
    this.#runs.set(count, byLength)
    return byLength
  }
}

const NONE: Runs = { starts: [], masks: [] }

/** Which letters there are, several to a bit, and each letter to one: of those in two halves the second counts. */
function letterMask(word: string): number {
  let mask = 0
  for (let at = 0; at < word.length; at += 1) {
    const code = word.charCodeAt(at)
    if ((code & 0xfc00) !== FIRST_HALF) mask |= 1 << (code & 31)
  }
  return mask
}

function letterCount(word: string): number {
  let count = word.length
  for (let at = 0; at < word.length; at += 1) if ((word.charCodeAt(at) & 0xfc00) === FIRST_HALF) count -= 1
  return count
}

/** Of a character that takes two code units. */
const FIRST_HALF = 0xd800

function hasMoreBits(bits: number, limit: number): boolean {
  let left = bits
  for (let count = 0; left !== 0; count += 1) {
    if (count === limit) return true
    left &= left - 1
  }
  return false
}
