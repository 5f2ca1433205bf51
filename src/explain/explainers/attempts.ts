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

function sentence({ worker, outcome, reason, status, ms }: Attempt, place: number): string {
  const subject = `${capitalized(ordinal(place))} attempt: ${named(worker)}`
  return `${subject} ${outcomeWords({ outcome, reason, status })}${outcome === 'open' ? '' : ` after ${milliseconds(ms)}`}.`
}

function outcomeWords({ outcome, reason, status }: Pick<Attempt, 'outcome' | 'reason' | 'status'>): string {
  const why = reason === undefined ? '' : ` (${named(reason)})`
  switch (outcome) {
    case 'answered':
      return `answered with ${status ?? 'a status nobody knows'}${why}`
    case 'timeout':
      return `took too long${why}`
    case 'unreachable':
      return `could not be reached${why}`
    case 'aborted':
      return `was called off when the client left${why}`
    case 'superseded':
      return `was called off, as another attempt had won${why}`
    case 'invalid':
      return `gave an answer that could not be used${status === undefined ? '' : `, ${status}`}${why}`
    case 'open':
      return 'is at it'
    default:
      return `came to ${named(outcome)}${why}`
  }
}

function ends({ retry_refused: isRefused }: ExplainedRecord): readonly string[] {
  return isRefused === true ? ['Another attempt was refused by the budget that all retries share.'] : []
}
