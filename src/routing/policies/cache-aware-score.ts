// What it takes until a candidate has read a prompt, in milliseconds: what it has to compute of it, and what it has to do
// before. Requests are not counted against tokens, nor hits against misses.

import type { PrefixFact } from '../cache-facts.ts'
import { capacityOf, type LoadParts, loadEstimator } from '../load.ts'
import type { CandidateView, PolicyInput, Verdict } from '../policy.ts'

export interface CacheScoring {
  /** What each request in flight takes from the next one. */
  readonly requestMs: number
  /** Part of a prompt that must be cached for it to count. */
  readonly cacheThreshold: number
  /** From which difference of loads on caches don't count; null for none. */
  readonly balance: Balance | null
}

/** Both must be exceeded. */
export interface Balance {
  /** By the busiest candidate's requests over those of the idlest. */
  readonly more: number
  /** By the same, as a multiple. */
  readonly times: number
}

/** What stands in for a prompt that nothing is known of. */
const NO_PROMPT: PrefixFact = { promptTokens: 0, cachedTokens: {}, backlogTokens: {}, prefillMsPerToken: 0 }

export function scoreByCache({ candidates, prefix, loadAgeMs }: PolicyInput, scoring: CacheScoring): Verdict[] {
  const fact = prefix ?? NO_PROMPT
  const { promptTokens, prefillMsPerToken } = fact
  const loadOf = loadEstimator(candidates, loadAgeMs)
  const loads = candidates.map(loadOf)
  const isUneven = scoring.balance !== null && isUnbalanced(loads, scoring.balance)
  const waitsElsewhere = tokensEachRequestWaitsFor(candidates, fact)
  return candidates.map((candidate, at) => {
    const load = loads[at] ?? loadOf(candidate)
    const held = tokensOf(fact.cachedTokens, candidate)
    const counts = !isUneven && held > promptTokens * scoring.cacheThreshold
    const cached = counts ? Math.min(held, promptTokens) : 0
    const backlog = tokensOf(fact.backlogTokens, candidate) + waitsElsewhere * requestsOfOthers(load)
    const prefillMs = (promptTokens - cached) * prefillMsPerToken
    const queueMs = (backlog * prefillMsPerToken) / capacityOf(candidate) + load.load * scoring.requestMs
    return {
      score: 0 - (prefillMs + queueMs),
      parts: {
        cached_tokens: cached,
        prefill_ms: prefillMs,
        queue_ms: queueMs,
        backlog_tokens: backlog,
        load: load.load,
      },
    }
  })
}

/**
 * How many tokens a request in flight waits to have prefilled, as far as this router's own tell: what others sent is
 * taken to be like it, as nobody counts theirs.
 */
function tokensEachRequestWaitsFor(candidates: readonly CandidateView[], { backlogTokens }: PrefixFact): number {
  let tokens = 0
  let requests = 0
  for (const candidate of candidates) {
    tokens += tokensOf(backlogTokens, candidate)
    requests += candidate.inFlightHere
  }
  return requests === 0 ? 0 : tokens / requests
}

function requestsOfOthers(load: LoadParts): number {
  return load.in_flight_elsewhere + (load['in_flight_outside'] ?? 0)
}

function isUnbalanced(loads: readonly LoadParts[], { more, times }: Balance): boolean {
  let most = 0
  let least = Number.POSITIVE_INFINITY
  for (const load of loads) {
    const requests = load.in_flight_here + requestsOfOthers(load)
    most = Math.max(most, requests)
    least = Math.min(least, requests)
  }
  return most - least > more && most > least * times
}

function tokensOf(tokens: Readonly<Record<string, number>>, { id }: CandidateView): number {
  return Object.hasOwn(tokens, id) ? (tokens[id] ?? 0) : 0
}
