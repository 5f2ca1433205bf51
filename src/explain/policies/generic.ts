// Any policy by its scores alone.

import type { RecordedCandidate } from '../../record/schema.ts'
import type { Choice } from '../subject.ts'
import { amount, counted, listed, named } from '../words.ts'
import type { PolicyWords } from './policy-words.ts'

export const genericWords: PolicyWords = {
  why(choice) {
    const { chosen, scored } = choice
    const best = `${named(chosen.worker)} had the best score, ${amount(chosen.score ?? 0)}${partsOf(chosen)}`
    return [scored.length === 1 ? `${best}; no other candidate was left.` : `${best}.`, ...tieSentences(choice)]
  },
  whyNot(choice, other) {
    if (other.score === undefined) return `The policy did not look at ${named(other.worker)}.`
    if (other.score === choice.chosen.score) return tieLost(choice, other)
    return `${named(other.worker)} had the score ${amount(other.score)}${partsOf(other)}; ${chosenScore(choice)}.`
  },
}

/** Says that the draw decided, where several had the best score. */
export function tieSentences({ record, ties }: Choice): readonly string[] {
  if (ties < 2) return []
  return [`${counted(ties, 'candidate')} had this score, and ${seedOf(record.seed)} drew among them.`]
}

export function tieLost({ record, chosen }: Choice, { worker }: RecordedCandidate): string {
  return `${named(worker)} had the same score as ${named(chosen.worker)}, and ${seedOf(record.seed)} drew the other.`
}

/** `the seed 123`, which draws the same again. */
export function seedOf(seed: number | undefined): string {
  return seed === undefined ? 'a draw that the record does not hold' : `the seed ${seed}`
}

function chosenScore({ chosen }: Choice): string {
  return `${named(chosen.worker)}, which was chosen, had ${amount(chosen.score ?? 0)}`
}

function partsOf({ parts = {} }: RecordedCandidate): string {
  const listing = Object.entries(parts).map(([name, value]) => `${named(name)} ${amount(value)}`)
  return listing.length === 0 ? '' : ` (${listed(listing)})`
}
