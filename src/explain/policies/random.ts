// random: a draw by weight.

import { amount, named } from '../words.ts'
import { seedOf } from './generic.ts'
import type { PolicyWords } from './policy-words.ts'

export const randomWords: PolicyWords = {
  why({ record, chosen, scored }) {
    if (scored.length === 1) return [`${named(chosen.worker)} was the only one left to draw.`]
    return [
      `${named(chosen.worker)} was drawn at random from ${scored.length} candidates, each as likely as its weight says.`,
      `The draw is that of ${seedOf(record.seed)}: each score is ln(u) / (weight × share) with a number u drawn for that ` +
        `candidate, and the largest, ${amount(chosen.score ?? 0)}, wins.`,
    ]
  },
  whyNot({ record, chosen }, other) {
    if (other.score === undefined) return `${named(other.worker)} was not drawn.`
    const scores = `${amount(other.score)} against the ${amount(chosen.score ?? 0)} of ${named(chosen.worker)}`
    return `${named(other.worker)} was not drawn: ${seedOf(record.seed)} gave it ${scores}; nothing else spoke against it.`
  },
}
