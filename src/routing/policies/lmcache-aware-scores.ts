// The two ways in which `lmcache_aware` scores candidates itself.

import type { PrefixFact } from '../cache-facts.ts'
import { loadEstimator } from '../load.ts'
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

/** Score: the part of the fullest cache, weighed against idleness; both from 0 to 1. */
export function scoreOccupancy({ candidates, lmcache, loadAgeMs }: PolicyInput, cacheWeight: number): Verdict[] {
  const counts = lmcache?.chunkCounts ?? {}
  const mostChunks = Math.max(0, ...Object.values(counts))
  const loadOf = loadEstimator(candidates, loadAgeMs)
  const loads = candidates.map((candidate) => loadOf(candidate).load)
  const mostLoad = Math.max(0, ...loads)
  return candidates.map(({ workerId }, at) => {
    const chunks = countOf(counts, workerId)
    const load = loads[at] ?? 0
    const cached = mostChunks === 0 ? 0 : chunks / mostChunks
    const idle = mostLoad === 0 ? 1 : (mostLoad - load) / mostLoad
    return { score: cacheWeight * cached + (1 - cacheWeight) * idle, parts: { chunks, load } }
  })
}

function countOf(counts: CountByWorker, workerId: string): number {
  // Ids are operators' text: one may be the name of something that every object has.
  return Object.hasOwn(counts, workerId) ? (counts[workerId] ?? 0) : 0
}
