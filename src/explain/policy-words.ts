// How each policy came to its choice, in words: one file a policy, found by the name that records have. A policy without
// one (an operator's own, or one of another router) is explained by its scores.

import { cacheAwareWords } from './policies/cache-aware.ts'
import { consistentHashWords } from './policies/consistent-hash.ts'
import { genericWords } from './policies/generic.ts'
import { leastLoadWords } from './policies/least-load.ts'
import { lmcacheAwareWords } from './policies/lmcache-aware.ts'
import { powerOfTwoWords } from './policies/power-of-two.ts'
import { randomWords } from './policies/random.ts'
import { responseAffinityWords } from './policies/response-affinity.ts'
import { roundRobinWords } from './policies/round-robin.ts'
import type { PolicyWords } from './policies/policy-words.ts'

/** A new policy's words are one line here. */
const WORDS_BY_POLICY: ReadonlyMap<string, PolicyWords> = new Map([
  ['round_robin', roundRobinWords],
  ['random', randomWords],
  ['least_load', leastLoadWords],
  ['power_of_two', powerOfTwoWords],
  ['consistent_hash', consistentHashWords],
  ['cache_aware', cacheAwareWords],
  ['lmcache_aware', lmcacheAwareWords],
  ['response_affinity', responseAffinityWords],
])

export function policyWords(policy: string | undefined): PolicyWords {
  return (policy === undefined ? undefined : WORDS_BY_POLICY.get(policy)) ?? genericWords
}
