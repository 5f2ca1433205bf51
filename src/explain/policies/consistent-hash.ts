// consistent_hash: where the session's key falls, unless that candidate has too much to do.

import type { RecordedCandidate } from '../../record/schema.ts'
import { sourceOf } from '../key-source.ts'
import type { ExplainedRecord } from '../subject.ts'
import { amount, named } from '../words.ts'
import { seedOf } from './generic.ts'
import type { PolicyWords } from './policy-words.ts'

export const consistentHashWords: PolicyWords = {
  why({ record, chosen, scored }) {
    const better = passedOver(record, chosen)
    const [first] = better
    const key = keySentence(record)
    if (first !== undefined) {
      return [
        `${key} It would fall to ${named(first.worker)}, which had too much to do: ${boundOf(first)}.`,
        `${named(chosen.worker)} comes next for this key${better.length > 1 ? ', after others like it' : ''}.`,
      ]
    }
    if (scored.length === 1) return [`${named(chosen.worker)} was the only one left.`, key]
    return [`${named(chosen.worker)} is where the request’s key falls among these candidates.`, key]
  },
  whyNot({ chosen, record }, other) {
    if (other.score === undefined) return `The policy did not look at ${named(other.worker)}.`
    const places = `${amount(other.score)} against ${amount(chosen.score ?? 0)}`
    const key = record.affinity === undefined ? 'the draw' : 'the session’s key'
    return `${named(other.worker)} comes after ${named(chosen.worker)} for ${key} (${places}); nothing else spoke against it.`
  },
}

function keySentence({ affinity, seed }: ExplainedRecord): string {
  if (affinity === undefined) return `The request offers no key for its session, so ${seedOf(seed)} drew one.`
  return `The key is that of ${sourceOf(affinity.source)} (hash ${affinity.hash}).`
}

/** Candidates that the key prefers and the bound ruled out, best first. */
function passedOver({ candidates = [] }: ExplainedRecord, chosen: RecordedCandidate): readonly RecordedCandidate[] {
  const best = chosen.score ?? Number.POSITIVE_INFINITY
  return candidates
    .filter(({ veto, score }) => veto !== undefined && score !== undefined && score > best)
    .sort((one, other) => (other.score ?? 0) - (one.score ?? 0))
}

/** What a candidate had in flight, and how much it may have. */
export function boundOf({ parts = {} }: RecordedCandidate): string {
  const { in_flight: inFlight, bound } = parts
  if (inFlight === undefined || bound === undefined) return 'the record does not say how much'
  return `${amount(inFlight)} in flight, and its bound was ${amount(bound)}`
}
