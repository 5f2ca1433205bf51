// Keywords that do not do what they seem to, and expressions that can't be had.

import { usualDistance } from '../routing/signals/edit-distance.ts'
import { compileRegex } from '../routing/signals/linear-regex.ts'
import { USUAL_SIMILARITY } from '../routing/signals/ngrams.ts'
import { RegexError } from '../routing/signals/regex-parse.ts'
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
    const traps = (rule.keywords ?? []).flatMap((keyword, place) => {
      if (keyword === undefined) return []
      const path = [...at, index, 'keywords', place]
      if (rule.method === 'regex') return patternProblem(keyword, rule.case_sensitive === true, path)
      return keywordTraps(keyword, rule, (rule.keywords ?? []).indexOf(keyword) < place).map((trap) => {
        return warningAt(path, trap)
      })
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

/** What a keyword does that its author may not expect. */
function keywordTraps(keyword: string, rule: KeywordSection, isRepeated: boolean): string[] {
  const traps: string[] = []
  const letters = [...keyword].length
  if (isRepeated) traps.push('stands in the list before; it counts once')
  if (keyword !== keyword.trim()) traps.push('has spaces at its ends, which the text must have too')
  if (/\\[bdsw]|\.\*|\[[^\]]+\]/.test(keyword)) {
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
