// The policies that are compared: the router's own as they ship, and two that know what nobody can know.

import { BUILT_IN_POLICIES } from '../../src/routing/policies/index.ts'
import type { Policy } from '../../src/routing/policy.ts'

export interface Contender {
  readonly name: string
  readonly policy: Policy
  readonly isOmniscient: boolean
}

/** Names of all, in the order of the tables. */
export const CONTENDER_NAMES = [
  'random',
  'round_robin',
  'least_load',
  'power_of_two',
  'consistent_hash',
  'cache_aware',
  'lmcache_aware (prefix_lookup)',
  'lmcache_aware (assume_chains)',
  'lmcache_aware (coordinator)',
  'lmcache_aware (occupancy)',
  'oracle',
  'most_cached',
] as const

export type ContenderName = (typeof CONTENDER_NAMES)[number]

/** The one that all are measured against: capacity is what it gets done. */
export const BASELINE: ContenderName = 'least_load'

/** A contender by name. */
export function contenderOf(name: ContenderName): Contender {
  const lookUp = { lookup_mode: 'prefix_lookup' }
  switch (name) {
    case 'lmcache_aware (prefix_lookup)':
      return { name, policy: builtIn('lmcache_aware', lookUp), isOmniscient: false }
    case 'lmcache_aware (assume_chains)':
      return { name, policy: builtIn('lmcache_aware', { ...lookUp, assume_chains: true }), isOmniscient: false }
    case 'lmcache_aware (coordinator)':
      return {
        name,
        policy: builtIn('lmcache_aware', { ...lookUp, controller_type: 'coordinator' }),
        isOmniscient: false,
      }
    case 'lmcache_aware (occupancy)':
      return { name, policy: builtIn('lmcache_aware', { lookup_mode: 'occupancy' }), isOmniscient: false }
    case 'oracle':
      // The cost function of cache_aware, with exact facts.
      return { name, policy: { ...builtIn('cache_aware'), name }, isOmniscient: true }
    case 'most_cached':
      return { name, policy: mostCached, isOmniscient: true }
    default:
      return { name, policy: builtIn(name), isOmniscient: false }
  }
}

/** Nearly every prompt has this much in common with nearly every other: it says nothing of a conversation. */
const COMMON_TOKENS = 1_024

/** The longest prefix wins, whatever waits there: what caches could give if time were no matter. Else the idlest. */
const mostCached: Policy = {
  name: 'most_cached',
  needs: { prefix: { blockBytes: 2_048, prefillMsPerToken: 0.2 } },
  score({ candidates, prefix }) {
    return candidates.map(({ id }) => {
      const backlog = prefix?.backlogTokens[id] ?? 0
      const cached = prefix?.cachedTokens[id] ?? 0
      return { score: (cached < COMMON_TOKENS ? 0 : cached) - backlog / (1 + backlog) }
    })
  },
}

function builtIn(name: string, options: Readonly<Record<string, unknown>> = {}): Policy {
  const definition = BUILT_IN_POLICIES.get(name)
  if (definition === undefined) throw new Error(`the router has no policy ${name}`)
  return definition.create(definition.options.parse(options), BUILT_IN_POLICIES)
}
