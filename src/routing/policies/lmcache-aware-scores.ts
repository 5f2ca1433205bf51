// The ways in which `lmcache_aware` scores candidates itself.

import type { PrefixFact } from '../cache-facts.ts'
import { loadEstimator } from '../load.ts'
import { isOverBound, loadBounds, OVER_LOAD_BOUND } from '../load-bound.ts'
import type { CandidateView, PolicyInput, Verdict } from '../policy.ts'
import { scoreByCache } from './cache-aware-score.ts'

type CountByWorker = Readonly<Record<string, number>>

/** What load weighs at `cache_weight: 1`: enough to tell equal matches apart, never enough to overrule a longer one. */
const TIE_WEIGHT = 1e-6

/** Every match counts, and each request in flight takes what `cache_aware` says it does. */
const SCORING = { requestMs: 20, cacheThreshold: 0, balance: null } as const

/** Whether any candidate has more than nothing. */
export function holdsAnything(candidates: readonly CandidateView[], counts: CountByWorker | null): boolean {
  return counts !== null && candidates.some(({ workerId }) => countOf(counts, workerId) > 0)
}

/** Whether the best of these verdicts is on a candidate that holds some of the prompt. */
export function isPrefixChoice(candidates: readonly CandidateView[], verdicts: readonly Verdict[]): boolean {
  let best: Verdict | null = null
  for (const verdict of verdicts) if ((verdict.score ?? 0) > (best?.score ?? Number.NEGATIVE_INFINITY)) best = verdict
  return candidates.length > 0 && (best?.parts?.['matched_tokens'] ?? 0) > 0
}

/** Score: `cache_weight` times the prefill time that the matched tokens save, less the rest times the time in queue. */
export function scorePrefix(input: PolicyInput, cacheWeight: number): Verdict[] {
  const fact = toPrefixFact(input)
  const waitWeight = Math.max(1 - cacheWeight, TIE_WEIGHT)
  return scoreByCache({ ...input, prefix: fact }, SCORING).map(({ parts = {} }) => {
    const { cached_tokens: matched = 0, queue_ms: queueMs = 0, load = 0 } = parts
    const savedMs = matched * fact.prefillMsPerToken
    const score = cacheWeight * savedMs - waitWeight * queueMs
    return { score, parts: { matched_tokens: matched, saved_ms: savedMs, queue_ms: queueMs, load } }
  })
}

/** What LMCache knows, in the terms of the router's own index; what waits to be prefilled the router knows itself. */
function toPrefixFact({ candidates, lmcache, prefix }: PolicyInput): PrefixFact {
  const { matchedTokens = null, promptTokens = null, prefillMsPerToken = 0 } = lmcache ?? {}
  const cachedTokens = Object.fromEntries(
    candidates.map(({ id, workerId }) => [id, countOf(matchedTokens ?? {}, workerId)]),
  )
  const most = Math.max(0, ...Object.values(cachedTokens))
  return {
    // A record may hold a match and no length.
    promptTokens: Math.max(promptTokens ?? 0, most),
    cachedTokens,
    backlogTokens: prefix?.backlogTokens ?? {},
    prefillMsPerToken,
  }
}

/** What the fullest cache is worth of a wait: it decides among those that would begin about as soon. */
const FULLEST_MS = 1

/**
 * After a lookup that found nothing. Score: less the time in queue, and a millisecond at most for a full cache. How full a
 * cache is says nothing of this prompt: weighed any higher, it has everything wait where most went before.
 */
export function scoreUnmatched(input: PolicyInput, cacheWeight: number): Verdict[] {
  const { candidates } = input
  const fullnessOf = fullness(input)
  const prefix = { ...toPrefixFact(input), cachedTokens: {} }
  return scoreByCache({ ...input, prefix }, SCORING).map(({ parts = {} }, at) => {
    const { queue_ms: queueMs = 0, load = 0 } = parts
    const { chunks, share } = fullnessOf(candidates[at]?.workerId ?? '')
    return { score: cacheWeight * share * FULLEST_MS - queueMs, parts: { chunks, queue_ms: queueMs, load } }
  })
}

/**
 * Score: the part of the fullest cache, weighed against idleness; both from 0 to 1, as the Rust router has it. Who is over
 * the bound on load is left out, or the fullest cache would get everything until all are as full.
 */
export function scoreOccupancy(input: PolicyInput, cacheWeight: number, loadFactor: number | 'off'): Verdict[] {
  const { candidates, loadAgeMs } = input
  const fullnessOf = fullness(input)
  const loadOf = loadEstimator(candidates, loadAgeMs)
  const bounds = loadFactor === 'off' ? null : loadBounds(candidates, loadAgeMs, loadFactor)
  const loads = candidates.map((candidate) => loadOf(candidate).load)
  const mostLoad = Math.max(0, ...loads)
  return candidates.map((candidate, at) => {
    const { chunks, share } = fullnessOf(candidate.workerId)
    const load = loads[at] ?? 0
    const idle = mostLoad === 0 ? 1 : (mostLoad - load) / mostLoad
    const score = cacheWeight * share + (1 - cacheWeight) * idle
    const bounded = bounds?.[at]
    if (bounded === undefined) return { score, parts: { chunks, load } }
    const parts = { chunks, load, in_flight: bounded.in_flight, bound: bounded.bound }
    return isOverBound(bounded) ? { score, parts, veto: OVER_LOAD_BOUND } : { score, parts }
  })
}

/** Chunks of a worker's cache, also as a share of the fullest. */
function fullness({ lmcache }: PolicyInput): (workerId: string) => { readonly chunks: number; readonly share: number } {
  const counts = lmcache?.chunkCounts ?? {}
  const most = Math.max(0, ...Object.values(counts))
  return (workerId) => {
    const chunks = countOf(counts, workerId)
    return { chunks, share: most === 0 ? 0 : chunks / most }
  }
}

function countOf(counts: CountByWorker, workerId: string): number {
  // Ids are operators' text: one may be the name of something that every object has.
  return Object.hasOwn(counts, workerId) ? (counts[workerId] ?? 0) : 0
}
