// Who was tried, and what came of it.

import type { DecisionRecord } from '../../record/schema.ts'
import type { Explainer, ExplainedRecord } from '../subject.ts'
import { capitalized, listed, milliseconds, named, ordinal } from '../words.ts'

type Attempt = DecisionRecord['attempts'][number]

export const attempts: Explainer = ({ record }) => [...lines(record), ...ends(record)]

function lines({ attempts: made = [], tried = [] }: ExplainedRecord): readonly string[] {
  if (made.length <= 1 && made[0]?.outcome === 'answered') return []
  const decided =
    tried.length === 0 ? [] : [`The scores are those of the last decision, which left out ${listed(tried.map(named))}.`]
  return [...made.map((attempt, at) => sentence(attempt, at + 1)), ...decided]
}

function sentence(attempt: Attempt, place: number): string {
  return `${capitalized(ordinal(place))} attempt: ${named(attempt.worker)} ${attemptWords(attempt)}.`
}

/** What follows the worker's name. */
export function attemptWords({ outcome, reason, status, ms }: Attempt): string {
  const why = reason === undefined ? '' : ` (${named(reason)})`
  const after = `after ${milliseconds(ms)}`
  switch (outcome) {
    case 'answered':
      return `answered with ${status ?? 'a status nobody knows'}${why} ${after}`
    case 'timeout':
      return `took too long${why} and was given up ${after}`
    case 'unreachable':
      return `could not be reached${why} ${after}`
    case 'aborted':
      return `was called off ${after}, when the client left${why}`
    case 'superseded':
      return `was called off ${after}, as another attempt had won${why}`
    case 'invalid':
      return `gave an answer that could not be used${status === undefined ? '' : `, ${status}`}${why} ${after}`
    case 'open':
      return 'is at it'
    default:
      return `came to ${named(outcome)}${why} ${after}`
  }
}

function ends({ retry_refused: isRefused }: ExplainedRecord): readonly string[] {
  return isRefused === true ? ['Another attempt was refused by the budget that all retries share.'] : []
}
