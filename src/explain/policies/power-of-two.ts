// power_of_two: two are drawn, the less loaded one is taken.

import type { RecordedCandidate } from '../../record/schema.ts'
import type { Choice } from '../subject.ts'
import { named } from '../words.ts'
import { seedOf } from './generic.ts'
import { loadOf } from './load-words.ts'
import type { PolicyWords } from './policy-words.ts'

export const powerOfTwoWords: PolicyWords = {
  why({ record, chosen, scored }) {
    const other = scored.find((candidate) => candidate !== chosen)
    if (other === undefined) return [`${named(chosen.worker)} was the only one left to draw.`]
    const [first, second] = placeOf(chosen) === 1 ? [chosen, other] : [other, chosen]
    const drawn = `${named(first.worker)} and then ${named(second.worker)}`
    return [
      `${named(chosen.worker)} was the less loaded of two candidates drawn at random.`,
      `By ${seedOf(record.seed)} they were ${drawn}, each as likely as its capacity says.`,
    ]
  },
  whyNot(choice: Choice, other: RecordedCandidate) {
    const { chosen, record } = choice
    if (other.score === undefined) {
      return `${named(other.worker)} was not one of the two candidates that ${seedOf(record.seed)} drew; its load did not count.`
    }
    const loads = `it had ${loadOf(other)}, ${named(chosen.worker)} ${loadOf(chosen)}`
    return `${named(other.worker)} was drawn, too, but ${loads}${atTie(chosen, other)}.`
  },
}

function placeOf({ parts = {} }: RecordedCandidate): number | undefined {
  return parts['drawn']
}

function atTie(chosen: RecordedCandidate, other: RecordedCandidate): string {
  return chosen.parts?.['load'] === other.parts?.['load'] ? '; at equal load the first drawn wins' : ''
}
