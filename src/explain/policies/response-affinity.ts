// Not a policy of anybody's choice: the request refers to a stored response, and only one worker has it.

import { named } from '../words.ts'
import type { PolicyWords } from './policy-words.ts'

export const responseAffinityWords: PolicyWords = {
  why({ record, chosen, scored }) {
    const holder = named(record.pinned ?? chosen.worker)
    const had = `The request refers to a stored response, and ${holder} holds it: it had to go there.`
    if (scored.length === 1) return [had]
    return [had, `Among the ranks of that worker the configured policy chose ${named(chosen.worker)}.`]
  },
  whyNot({ chosen }, { worker }) {
    return `${named(worker)} is a rank of the same worker, and the configured policy preferred ${named(chosen.worker)}.`
  },
}
