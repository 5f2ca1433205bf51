// lmcache_aware: goes by what LMCache's control plane knows of caches. First by who holds this very prompt, then by whose
// cache is full, and where neither is known by another policy.

import { PolicyError } from '../policy-error.ts'
import {
  definePolicy,
  type Policy,
  type PolicyInput,
  type PolicyNeeds,
  type PolicyRegistry,
  type PolicyStep,
} from '../policy.ts'
import { type LmcacheAwareOptions, lmcacheAwareOptions, toLmcacheNeeds, warningsFor } from './lmcache-aware-options.ts'
import { holdsAnything, isPrefixChoice, scoreOccupancy, scorePrefix, scoreUnmatched } from './lmcache-aware-scores.ts'
import { powerOfTwo } from './power-of-two.ts'

const NAME = 'lmcache_aware'

/** Blocks of the router's own index: some two of LMCache's chunks. */
const BLOCK_BYTES = 2_048

/** Score: milliseconds saved against milliseconds waited with lookups; from 0 to 1 by occupancy alone; else the fallback's. */
export const lmcacheAware = definePolicy({
  name: NAME,
  options: lmcacheAwareOptions,
  create(options, others = new Map()): Policy {
    const { cache_weight: cacheWeight, load_factor: loadFactor } = options
    const looksUp = options.lookup_mode === 'prefix_lookup'
    const fallback = createFallback(options.fallback_policy, others)
    const needs = toNeeds(options, fallback)
    const prefix: Policy = { name: NAME, needs, score: (input) => scorePrefix(input, cacheWeight) }
    const scoreByOccupancy = (input: PolicyInput) =>
      looksUp ? scoreUnmatched(input, cacheWeight) : scoreOccupancy(input, cacheWeight, loadFactor)
    const occupancy: Policy = { name: NAME, needs, score: scoreByOccupancy }

    function step(input: PolicyInput): PolicyStep {
      const { lmcache, candidates } = input
      // A record may hold a lookup that this mode would not have made.
      if (looksUp && holdsAnything(candidates, lmcache?.matchedTokens ?? null)) {
        // Where load outweighs every match, the prefix did not choose.
        const isByPrefix = isPrefixChoice(candidates, prefix.score(input))
        return { policy: prefix, method: isByPrefix ? 'lmcache-prefix' : 'policy' }
      }
      if (holdsAnything(candidates, lmcache?.chunkCounts ?? null)) return { policy: occupancy, method: 'policy' }
      return fallback.step?.(input) ?? { policy: fallback, method: 'policy' }
    }
    return { name: NAME, needs, step, score: (input) => step(input).policy.score(input) }
  },
  warnings: warningsFor,
})

/** With the router's own index beside LMCache, which tells who was sent what, and what still waits there. */
function toNeeds(options: LmcacheAwareOptions, { needs }: Policy): PolicyNeeds {
  const lmcache = toLmcacheNeeds(options)
  if (lmcache.lookup === null) return { ...needs, lmcache }
  const { prefix = { blockBytes: BLOCK_BYTES, prefillMsPerToken: lmcache.prefillMsPerToken } } = needs
  return { ...needs, prefix, lmcache }
}

/** Names as the Rust router takes them: in any case, with or without underscores. */
function createFallback(name: string, others: PolicyRegistry): Policy {
  const wanted = plain(name)
  if (wanted === plain(NAME)) throw new PolicyError(NAME, 'can not fall back on itself: name another fallback_policy')
  const known = [powerOfTwo, ...others.values()]
  const definition = known.find((each) => plain(each.name) === wanted)
  if (definition === undefined) {
    const names = [...others.keys()].filter((each) => each !== NAME).join(', ')
    throw new PolicyError(NAME, `knows no fallback_policy "${name}"; policies: ${names}`)
  }
  const options = definition.options.safeParse({})
  if (!options.success) {
    throw new PolicyError(NAME, `can not fall back on ${definition.name}, which needs options of its own`)
  }
  return definition.create(options.data, others)
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}
