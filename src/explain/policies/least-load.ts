// least_load: fewest requests in flight for its capacity.

import { named } from '../words.ts'
import { tieLost, tieSentences } from './generic.ts'
import { loadOf } from './load-words.ts'
import type { PolicyWords } from './policy-words.ts'

export const leastLoadWords: PolicyWords = {
  why(choice) {
    const { chosen, scored } = choice
    const least = scored.length === 1 ? 'was the only one left, with' : 'had the least in flight for its capacity:'
    return [`${named(chosen.worker)} ${least} ${loadOf(chosen)}.`, ...tieSentences(choice)]
  },
  whyNot(choice, other) {
    if (other.score === choice.chosen.score) return tieLost(choice, other)
    return `${named(other.worker)} had ${loadOf(other)}; ${named(choice.chosen.worker)} had ${loadOf(choice.chosen)}.`
  },
}
