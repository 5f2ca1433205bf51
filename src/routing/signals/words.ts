// Where words begin and end, for every script: what keywords are looked for in, and how. By Unicode properties alone, so
// that every runtime finds the same.

const WORD = /[\p{L}\p{N}\p{M}_]/u
/** Scripts that put no space between words: any place is a boundary. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}ー]/u
/** Particles follow a word without a space, so a word has a beginning and no end. */
const OPEN_ENDED = /\p{sc=Hangul}/u

/** Whether a character belongs to a word. */
export function isWordCharacter(character: string): boolean {
  if (character.length === 1 && character < '\u0080') return ASCII_WORD.test(character)
  return WORD.test(character)
}

const ASCII_WORD = /\w/

/** One spelling for texts that look alike; of two cases the lower one, unless case counts. */
export function foldText(text: string, isCaseSensitive: boolean): string {
  const composed = BEYOND_LATIN.test(text) ? text.replace(MARKS, '').normalize('NFC') : text
  // A sigma at the end of a word has a shape of its own in lower case alone.
  return isCaseSensitive ? composed : composed.toLowerCase().replaceAll('ς', 'σ')
}

/** From here on there are marks; what comes before is composed as it stands. */
const BEYOND_LATIN = /[^\0-\u02ff]/
/**
 * Marks on one letter beyond what any language writes (Unicode's Stream-Safe Text Format, UAX #15). Putting them in order
 * takes the square of their number: a megabyte of them would hold an isolate for minutes.
 */
const MARKS = /(?<=\p{M}{30})\p{M}+/gu

/** Whether `phrase` stands in `text` and is no part of a longer word. Both are folded alike. */
export function hasPhrase(text: string, phrase: string): boolean {
  return phrasePlace(text, phrase, 0) !== -1
}

/** Whether it stands right there. */
export function isPhraseAt(text: string, phrase: string, at: number): boolean {
  return at >= 0 && text.startsWith(phrase, at) && beginsWord(text, at) && endsWord(text, at + phrase.length)
}

/** How often it does, without overlaps. */
export function countPhrase(text: string, phrase: string): number {
  let count = 0
  for (let at = phrasePlace(text, phrase, 0); at !== -1; at = phrasePlace(text, phrase, at + phrase.length)) count += 1
  return count
}

function phrasePlace(text: string, phrase: string, from: number): number {
  if (phrase === '') return -1
  for (let at = text.indexOf(phrase, from); at !== -1; at = text.indexOf(phrase, nextBeginning(text, at))) {
    if (beginsWord(text, at) && endsWord(text, at + phrase.length)) return at
  }
  return -1
}

/** Where the next word may begin: none does within one, and a long phrase is not to be tried at each of its letters. */
function nextBeginning(text: string, from: number): number {
  let at = from
  while (at < text.length && isInnerLetter(text.charAt(at))) at += 1
  return Math.max(at, from + 1)
}

function isInnerLetter(character: string): boolean {
  return isWordCharacter(character) && (character < '\u0080' || !UNSPACED.test(character))
}

function beginsWord(text: string, at: number): boolean {
  const first = characterAt(text, at)
  // What begins with a sign has its boundary there.
  if (!isWordCharacter(first) || UNSPACED.test(first)) return true
  const before = characterBefore(text, at)
  return before === '' || !isWordCharacter(before) || UNSPACED.test(before)
}

function endsWord(text: string, end: number): boolean {
  const last = characterBefore(text, end)
  if (!isWordCharacter(last)) return true
  const after = characterAt(text, end)
  // A mark belongs to the letter before it, in every script.
  if (isMark(after)) return false
  if (UNSPACED.test(last) || OPEN_ENDED.test(last)) return true
  return after === '' || !isWordCharacter(after) || UNSPACED.test(after)
}

function isMark(character: string): boolean {
  return character > '\u02ff' && /\p{M}/u.test(character)
}

function characterAt(text: string, at: number): string {
  const code = text.codePointAt(at)
  return code === undefined ? '' : String.fromCodePoint(code)
}

function characterBefore(text: string, at: number): string {
  if (at === 0) return ''
  const code = text.codePointAt(at - 1) ?? 0
  const isLowSurrogate = code >= 0xdc00 && code <= 0xdfff
  return isLowSurrogate && at > 1 ? characterAt(text, at - 2) : String.fromCharCode(code)
}

/** Whether a word goes on where another begins, as with particles. */
export function isOpenEnded(word: string): boolean {
  return OPEN_ENDED.test(characterBefore(word, word.length))
}

/** The words of a text with where they begin. */
export function* wordPlaces(text: string): Generator<{ readonly word: string; readonly at: number }> {
  for (const match of text.matchAll(WORDS)) yield { word: match[0], at: match.index }
}

/** The words of a text; of scripts without spaces each character is one. */
export function wordsOf(text: string): readonly string[] {
  return text.match(WORDS) ?? []
}

const WORDS =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}ー]|[\p{L}\p{N}\p{M}_]+?(?=[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}ー]|[^\p{L}\p{N}\p{M}_]|$)/gu
