// round_robin: whose turn it is.

import type { Choice } from '../subject.ts'
import { amount, counted, named } from '../words.ts'
import { seedOf, tieLost } from './generic.ts'
import type { PolicyWords } from './policy-words.ts'

export const roundRobinWords: PolicyWords = {
  why(choice) {
    const { chosen, scored } = choice
    const turn = scored.length === 1 ? 'was the only one left to take a turn' : 'had the next turn'
    return [`${named(chosen.worker)} ${turn}.`, turnSentence(choice)]
  },
  whyNot(choice, other) {
    const { chosen } = choice
    const { worker, score } = other
    if (score === undefined) return `It was not the turn of ${named(worker)}.`
    if (score === chosen.score) return tieLost(choice, other)
    const turns = counted((chosen.score ?? 0) - score, 'turn')
    return `It was not the turn of ${named(worker)}: it comes ${turns} later than that of ${named(chosen.worker)}.`
  },
}

function turnSentence({ record, scored }: Choice): string {
  const { ticket, seed } = record
  if (ticket === undefined) {
    return `The count of turns could not be had, so ${seedOf(seed)} drew one.`
  }
  return `The request drew ticket ${amount(ticket)}, and turns go round ${counted(scored.length, 'candidate')}.`
}
