// Keywords that do not do what they seem to, and expressions that can't be had.

import { usualDistance } from '../routing/signals/edit-distance.ts'
import { compileRegex } from '../routing/signals/linear-regex.ts'
import { USUAL_SIMILARITY } from '../routing/signals/ngrams.ts'
import { RegexError } from '../routing/signals/regex-parse.ts'
import { foldText } from '../routing/signals/words.ts'
import type { Partly } from './check-section.ts'
import { errorAt, type Path, type Problem, warningAt } from './finding.ts'
import type { SignalsSection } from './signal-schema.ts'

/** Below it `agent` is found for `urgent`. */
const LEAST_SIMILARITY = 0.6

type KeywordSection = Partly<SignalsSection['keywords'][number]>

/** Problems with the `keywords` of a configuration, which stand at `at`. */
export function checkKeywords(rules: readonly (KeywordSection | undefined)[], at: Path): Problem[] {
  return rules.flatMap((rule, index) => {
    if (rule === undefined) return []
    const idle = idleFields(rule).map(([field, trap]) => warningAt([...at, index, field], trap))
    const seen = new Set<string>()
    const traps = (rule.keywords ?? []).flatMap((keyword, place) => {
      if (keyword === undefined) return []
      const path = [...at, index, 'keywords', place]
      const isBroken = rule.method === 'regex' ? patternProblem(keyword, rule.case_sensitive === true, path) : []
      if (isBroken.length > 0) return isBroken
      const spelling = spellingOf(keyword, rule)
      const isRepeated = seen.has(spelling)
      seen.add(spelling)
      const own = rule.method === 'regex' ? patternTraps(keyword) : keywordTraps(keyword, rule)
      return [...(isRepeated ? [REPEATED] : []), ...own].map((trap) => warningAt(path, trap))
    })
    return [...idle, ...traps]
  })
}

/** Fields of a rule that its method does not look at, or that let in too much. */
function idleFields(rule: KeywordSection): [field: string, trap: string][] {
  const { method = 'words', fuzzy_match: isFuzzy, ngram_threshold: similarity } = rule
  const only: readonly [field: keyof KeywordSection, isUsed: boolean, where: string][] = [
    ['fuzzy_match', method === 'words' || isFuzzy !== true, 'with method: words'],
    ['fuzzy_threshold', method === 'words' && isFuzzy === true, 'with fuzzy_match: true'],
    ['bm25_threshold', method === 'bm25', 'with method: bm25'],
    ['ngram_threshold', method === 'ngram', 'with method: ngram'],
    ['ngram_arity', method === 'ngram', 'with method: ngram'],
  ]
  const idle = only.flatMap(([field, isUsed, where]): [string, string][] => {
    return isUsed || rule[field] === undefined ? [] : [[field, `has an effect only ${where}`]]
  })
  if (method !== 'ngram' || similarity === undefined || similarity >= LEAST_SIMILARITY) return idle
  return [...idle, ['ngram_threshold', `lets keywords be found in many other words; ${USUAL_SIMILARITY} is usual`]]
}

const REPEATED = 'stands in the list before; it counts once'

/** The same for keywords that find the same; expressions only as they are written, since `\S` is not `\s`. */
function spellingOf(keyword: string, { method, case_sensitive: isCaseSensitive }: KeywordSection): string {
  return method === 'regex' ? keyword : foldText(keyword, isCaseSensitive === true)
}

/** Words of one script with spaces, and nothing else. */
const PLAIN_WORDS = /^[\p{sc=Latin}\p{sc=Cyrillic}\p{sc=Greek}\p{N}_ ]+$/u

function patternTraps(pattern: string): string[] {
  if (!PLAIN_WORDS.test(pattern)) return []
  return ['is found inside other words, too: leave out method: regex, or put \\b at its ends']
}

/** What people write for one of several words, any ending, a letter that may be missing, a beginning or an end. */
const EXPRESSION =
  /\\[bdsw]|\.[*+]|\[[^\]]+\]|\(\?|[\p{L}\p{N})]\|[\p{L}\p{N}(]|\p{L}\?\p{L}|\p{L}\*|\*[.\p{L}]|^\^\p{L}|\p{L}{3}\$$/u

/** Words of English that stand in most texts, whatever they are about. */
const LITTLE_WORDS = new Set(
  'a an and are as at be by can do for from has have how i if in is it me my no not of on or so that the this to us was we what who will with you'.split(
    ' ',
  ),
)

/** What a keyword does that its author may not expect. */
function keywordTraps(keyword: string, rule: KeywordSection): string[] {
  const traps: string[] = []
  const letters = [...keyword].length
  if (LITTLE_WORDS.has(keyword.toLowerCase()) && rule.case_sensitive !== true) {
    traps.push('is a word that stands in most texts; name what they are about')
  } else if (letters === 1) {
    traps.push('is a single character, which stands in many texts; name a word')
  }
  if (keyword !== keyword.trim()) traps.push('has spaces at its ends, which the text must have too')
  if (EXPRESSION.test(keyword)) {
    traps.push('looks like an expression and is taken as it stands; write method: regex for one')
  }
  if (rule.fuzzy_match !== true || (rule.method ?? 'words') !== 'words') return traps
  const distance = rule.fuzzy_threshold
  if (distance === undefined && usualDistance(letters) === 0) {
    traps.push('is too short for fuzzy_match, which leaves words of three letters alone')
  }
  if (distance !== undefined && distance > usualDistance(letters)) {
    const usual = usualDistance(letters)
    traps.push(
      `has ${letters} letters: with fuzzy_threshold ${distance} it is found in many other words; ${usual} is usual`,
    )
  }
  return traps
}

/** Why an expression can't be had. */
export function patternProblem(pattern: string, isCaseSensitive: boolean, path: Path): Problem[] {
  try {
    compileRegex(pattern, isCaseSensitive)
    return []
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    return [errorAt(path, `${error.message} (expressions are those of RE2, matched in linear time)`)]
  }
}
