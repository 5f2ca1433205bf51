// cache_aware: which candidate will have read the prompt first.

import type { RecordedCandidate } from '../../record/schema.ts'
import type { ExplainedRecord } from '../subject.ts'
import { amount, named } from '../words.ts'
import { tieLost, tieSentences } from './generic.ts'
import type { PolicyWords } from './policy-words.ts'

export const cacheAwareWords: PolicyWords = {
  why(choice) {
    const { chosen, record, scored } = choice
    const first =
      scored.length === 1
        ? 'was the only one left'
        : 'would be the first to have read the prompt, by this router’s estimate'
    return [
      `${named(chosen.worker)} ${first}: ${timesOf(chosen)}.`,
      promptSentence(record, chosen),
      ...tieSentences(choice),
    ]
  },
  whyNot(choice, other) {
    if (other.score === undefined) return `The policy did not look at ${named(other.worker)}.`
    if (other.score === choice.chosen.score) return tieLost(choice, other)
    return `${named(other.worker)} would take longer: ${timesOf(other)}; ${named(choice.chosen.worker)} ${timesOf(choice.chosen)}.`
  },
}

function promptSentence({ prefix }: ExplainedRecord, { parts = {} }: RecordedCandidate): string {
  if (prefix === undefined) return 'The request has no prompt that could be cached, so load alone counts.'
  const cached = parts['cached_tokens'] ?? 0
  const length = `about ${amount(Math.round(prefix.prompt_tokens))} tokens`
  if (cached === 0) {
    const nobody = Object.keys(prefix.cached ?? {}).length === 0
    return `Of the prompt, ${length}, ${nobody ? 'nobody is known to have anything cached' : 'it has nothing cached that counts'}.`
  }
  return `Of the prompt, ${length}, it is thought to have ${amount(Math.round(cached))} cached.`
}

/** `about 400 ms to compute and 360 ms in queue`. */
function timesOf({ parts = {}, score }: RecordedCandidate): string {
  const { prefill_ms: prefillMs, queue_ms: queueMs } = parts
  if (prefillMs === undefined || queueMs === undefined) return `a score of ${amount(score ?? 0)}`
  return `about ${amount(Math.round(prefillMs))} ms to compute and ${amount(Math.round(queueMs))} ms in queue`
}
