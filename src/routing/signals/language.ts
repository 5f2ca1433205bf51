// `language`: which language a text is in, by its script and, where several languages share one, by the little words that
// each of them can't do without. Coarse, quick, and the same everywhere; it says nothing of texts too short to tell.

import type { EdgeSignal } from './signal.ts'

export interface LanguageRule {
  /** ISO 639-1. */
  readonly name: string
  /** Share of the text's tell-tale words that have to be of the language. */
  readonly threshold: number
}

/** Scripts that tell a language by themselves. */
const SCRIPTS: readonly (readonly [code: string, letter: RegExp])[] = [
  ['ja', /[\p{sc=Hiragana}\p{sc=Katakana}]/gu],
  ['zh', /\p{sc=Han}/gu],
  ['ko', /\p{sc=Hangul}/gu],
  ['th', /\p{sc=Thai}/gu],
  ['he', /\p{sc=Hebrew}/gu],
  ['el', /\p{sc=Greek}/gu],
  ['hi', /\p{sc=Devanagari}/gu],
  ['bn', /\p{sc=Bengali}/gu],
  ['ta', /\p{sc=Tamil}/gu],
  ['ka', /\p{sc=Georgian}/gu],
  ['hy', /\p{sc=Armenian}/gu],
]

/** Words that stand in nearly every sentence of a language and in few of its neighbours. */
const TELLTALES: Readonly<Record<string, string>> = {
  en: 'the of and to is in that it for you with this are what how please can my your not from at do does which would should i we an be have has was were if why when',
  de: 'der die das und ist nicht ein eine zu mit auf für ich du wir sie es den dem des im von wie was bitte kann werden auch sich oder mein bei wird sind warum wenn',
  fr: 'le la les des est et un une que qui dans pour pas sur avec ce cette je vous nous il elle du au aux comment plus sont être mais ou mon pourquoi quel quelle',
  es: 'el la los las de que y en un una es por con para no se del al lo como más pero su mi me qué cómo está son cuál puede este esta por favor',
  it: 'il lo la gli le di che e un una è per con non si del della dei sono come più ma nel alla questo questa cosa perché mi ho puoi quale',
  pt: 'o os as de que e em um uma é por com para não se do da dos das no na como mais mas seu sua você está são qual pode este esta isso',
  nl: 'de het een en van is dat niet te op met voor ik je wij zij in zijn aan ook er maar hoe wat kan bij als deze dit waarom naar',
  pl: 'i w na nie się jest to z że do jak co czy po dla od ale o tak jestem są proszę może który która przez',
  sv: 'och att det som en är på av för med den till inte om ett han jag har vi du kan hur vad så men',
  tr: 've bir bu için ile ne da de mi mı nasıl çok daha var değil ben sen gibi kadar ama olarak',
  cs: 'a je se na v že to jak s z do pro jsem jsou ale nebo co který když být může',
  vi: 'là và của có không cho một được các trong này với tôi bạn như thế nào người',
  id: 'yang dan di ini itu dengan untuk dari tidak adalah saya anda akan pada ke bagaimana apa bisa',
  ru: 'и в не на что с я как это по но из у за к от для мы вы он она так же или если',
  uk: 'і в не на що з я як це та до у за але від для ми ви він вона чи є якщо або',
  bg: 'и в не на че с аз как това по но от за към да е са се ще или ако',
  ar: 'في من على أن إلى هذا هذه ما لا هو هي التي الذي كيف عن مع أو هل كان',
  fa: 'در از به که این را با است برای آن یک چه می و تا یا چگونه من شما هست',
  ur: 'کے میں کی ہے اور سے کا کو یہ کہ نہیں پر ہیں کیا ایک ہوں آپ کیسے',
}

export const LANGUAGES: readonly string[] = [...SCRIPTS.map(([code]) => code), ...Object.keys(TELLTALES)].sort()

/** How much of a text is looked at: its beginning says what the rest will. */
const MAX_LENGTH = 4_096

export interface DetectedLanguage {
  readonly code: string
  readonly confidence: number
}

/** Null where nothing in it tells. */
export function detectLanguage(text: string): DetectedLanguage | null {
  const beginning = text.slice(0, MAX_LENGTH).toLowerCase()
  const letters = beginning.match(/\p{L}/gu)?.length ?? 0
  if (letters === 0) return null
  return byScript(beginning, letters) ?? byWords(beginning)
}

function byScript(text: string, letters: number): DetectedLanguage | null {
  const shares = SCRIPTS.map(([code, letter]) => ({ code, share: (text.match(letter)?.length ?? 0) / letters }))
  const [japanese, han, ...others] = shares
  if (japanese === undefined || han === undefined) return null
  // Japanese is written in Han too, and Chinese never in kana.
  const eastAsian = { code: japanese.share > 0.05 ? 'ja' : 'zh', share: japanese.share + han.share }
  const best = [eastAsian, ...others].reduce((most, one) => (one.share > most.share ? one : most))
  return best.share >= 0.3 ? { code: best.code, confidence: round(best.share) } : null
}

function byWords(text: string): DetectedLanguage | null {
  const words = text.match(/[\p{L}\p{M}']+/gu) ?? []
  const found = Object.entries(TELLTALES).map(([code, list]) => {
    const known = new Set(list.split(' '))
    return { code, hits: words.filter((word) => known.has(word)).length }
  })
  const best = found.reduce((most, one) => (one.hits > most.hits ? one : most))
  if (best.hits === 0) return null
  const rival = found.reduce((most, { code, hits }) => (code === best.code ? most : Math.max(most, hits)), 0)
  return { code: best.code, confidence: round(best.hits / (best.hits + rival)) }
}

function round(share: number): number {
  return Math.round(share * 10_000) / 10_000
}

/** `detect` is shared by all rules: a text is looked at once. */
export function languageSignal(
  { name, threshold }: LanguageRule,
  detect: (text: string) => DetectedLanguage | null,
): EdgeSignal {
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
