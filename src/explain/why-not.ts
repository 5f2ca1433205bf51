// "Why not B?", answered from a record.

import type { RecordedCandidate } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { attemptWords } from './explainers/attempts.ts'
import { boundOf } from './policies/consistent-hash.ts'
import { policyWords } from './policy-words.ts'
import { type ExplainedRecord, isCacheHit, type Subject, toChoice } from './subject.ts'
import { longVeto } from './veto-words.ts'
import { capitalized, listed, named, ordinal } from './words.ts'

/** One worker, or one rank of it. */
export interface WhyNot {
  readonly worker: string
  readonly sentences: readonly string[]
}

/** `worker` is the id of a worker, or of one of its ranks as `id@rank`. */
export function whyNot({ record, view, dryRun }: Subject, worker: string): WhyNot {
  const earlier = earlierAttempts(record, worker, view)
  const candidates = (record.candidates ?? []).filter((candidate) => isOf(candidate.worker, worker, view))
  if (candidates.length > 0) {
    return { worker, sentences: [...earlier, ...candidates.map((candidate) => sentenceOf(record, candidate))] }
  }
  return { worker, sentences: [...earlier, unlisted({ record, view, dryRun }, worker)] }
}

function isOf(candidate: string, worker: string, view: ViewDocument | null): boolean {
  if (candidate === worker || candidate.startsWith(`${worker}@`)) return true
  return view?.candidates.some(({ id, worker_id: owner }) => id === candidate && owner === worker) ?? false
}

/** What an attempt came to when the next one began because of it; others ran side by side with it, or ended all. */
const WAS_NOT_ENOUGH: ReadonlySet<string> = new Set(['answered', 'timeout', 'unreachable', 'invalid'])

function earlierAttempts(
  { attempts = [], worker: chosen }: ExplainedRecord,
  worker: string,
  view: ViewDocument | null,
): readonly string[] {
  return attempts.flatMap((attempt, at) => {
    const { worker: tried } = attempt
    if (tried === chosen || !isOf(tried, worker, view)) return []
    const then = WAS_NOT_ENOUGH.has(attempt.outcome) ? '; then another was needed' : ''
    return [`${named(tried)} was the ${ordinal(at + 1)} to be tried: it ${attemptWords(attempt)}${then}.`]
  })
}

function sentenceOf(record: ExplainedRecord, candidate: RecordedCandidate): string {
  const { worker, veto } = candidate
  if (veto !== undefined) {
    const bound = candidate.parts?.['bound'] === undefined ? '' : ` (${boundOf(candidate)})`
    return `${named(worker)} was left out, ${longVeto(veto)}${bound}.`
  }
  const choice = toChoice(record)
  if (choice === null) return `Nothing spoke against ${named(worker)}, and nobody was chosen.`
  if (candidate === choice.chosen) return `${named(worker)} was chosen.`
  return policyWords(record.policy).whyNot(choice, candidate)
}

function unlisted({ record, view, dryRun }: Subject, worker: string): string {
  const { candidates, candidates_omitted: omitted = 0, worker: chosen, error } = record
  const name = named(worker)
  if (chosen !== undefined && isOf(chosen, worker, view)) return `${name} got the request.`
  if (candidates === undefined && chosen === undefined && error !== undefined) {
    const refused = dryRun === null ? 'was refused' : 'would be refused'
    return `Nobody looked at ${name}, nor at any other worker: the request ${refused} before that.`
  }
  if (isCacheHit(record)) return `Nobody looked at ${name}, nor at any other worker: a cache had the answer.`
  if (candidates === undefined) return `The record lists no candidates: whether ${name} was one can not be told.`
  const isInPool = view?.candidates.some(({ id }) => isOf(id, worker, view)) ?? null
  if (omitted > 0 && isInPool !== false) {
    const was = isInPool === null ? `${name} may have been` : `${name} was`
    return `${was} a candidate, but the record lists only the ${candidates.length} that mattered most: it was left out, not looked at, or behind all of those.`
  }
  const ids = candidates.map((candidate) => named(candidate.worker))
  const those = ids.length === 0 ? '' : ` ${capitalized(`the candidates were ${listed(ids)}.`)}`
  return `No worker ${name} was in the pool when this was decided.${those}`
}
