// lmcache_aware: prefill saved against time in queue where prompts are known, else the time in queue, or full caches
// against idleness.

import type { RecordedCandidate } from '../../record/schema.ts'
import type { Choice } from '../subject.ts'
import { amount, counted, milliseconds, named } from '../words.ts'
import { tieLost, tieSentences } from './generic.ts'
import type { PolicyWords } from './policy-words.ts'

export const lmcacheAwareWords: PolicyWords = {
  why(choice) {
    const { chosen, scored } = choice
    const how = scored.length === 1 ? 'was the only one left' : reasonOf(chosen)
    return [`${named(chosen.worker)} ${how}: ${detailOf(chosen)}.`, ...promptSentences(choice), ...tieSentences(choice)]
  },
  whyNot(choice, other) {
    if (other.score === choice.chosen.score) return tieLost(choice, other)
    return `${named(other.worker)} came out behind it: ${detailOf(other)}.`
  },
}

function reasonOf({ parts = {} }: RecordedCandidate): string {
  const { matched_tokens: matched } = parts
  if (matched === undefined) {
    const looked = parts['queue_ms'] !== undefined
    return looked
      ? 'had the least to do, or the fullest cache of those'
      : 'had the best of a full cache and little load'
  }
  return matched > 0
    ? 'had the most to save of this prompt for what waits there'
    : 'had so little to do that no match outweighed it'
}

function detailOf({ parts = {} }: RecordedCandidate): string {
  const { matched_tokens: matched, saved_ms: savedMs = 0, queue_ms: queueMs, chunks = 0, load = 0 } = parts
  if (matched === undefined) {
    const waits = queueMs === undefined ? `a load of ${amount(load)}` : `${milliseconds(queueMs)} of work wait`
    return `${counted(chunks, 'chunk')} in its cache, and ${waits}`
  }
  const held = matched > 0 ? `${counted(matched, 'token')} of the prompt are cached` : 'nothing of the prompt is cached'
  return `${held}, which saves ${milliseconds(savedMs)}, and ${milliseconds(queueMs ?? 0)} of work wait`
}

function promptSentences({ record, chosen }: Choice): readonly string[] {
  const tokens = record.lmcache?.prompt_tokens
  if (tokens === undefined || chosen.parts?.['matched_tokens'] === undefined) return []
  const { prefill_ms_per_token: cost = 0 } = record.lmcache ?? {}
  return [`The prompt has ${counted(tokens, 'token')}, each taken to cost ${amount(cost)} ms to compute.`]
}
