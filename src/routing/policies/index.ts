// The policies that YAML can name: the built-in ones, and those an operator registers.
// A new built-in policy is one file beside this one and one line here.

import { PolicyError } from '../policy-error.ts'
import type { PolicyDefinition, PolicyRegistry } from '../policy.ts'
import { cacheAware } from './cache-aware.ts'
import { consistentHash } from './consistent-hash.ts'
import { leastLoad } from './least-load.ts'
import { lmcacheAware } from './lmcache-aware.ts'
import { powerOfTwo } from './power-of-two.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'

/** The policies every router has, by the name YAML uses. */
export const BUILT_IN_POLICIES: PolicyRegistry = new Map<string, PolicyDefinition>(
  [roundRobin, random, leastLoad, powerOfTwo, consistentHash, cacheAware, lmcacheAware].map((definition) => [
    definition.name,
    definition,
  ]),
)

const POLICY_NAME = /^[a-z][a-z0-9_]{0,63}$/

/**
 * The built-in policies and `custom` ones; each key is the name YAML uses, and must be the definition's own name.
 * Throws `PolicyError` for a name that is taken or malformed, and for a value that is no definition.
 */
export function policyRegistry(custom: Readonly<Record<string, PolicyDefinition>> = {}): PolicyRegistry {
  const registry = new Map(BUILT_IN_POLICIES)
  for (const [name, definition] of Object.entries(custom)) {
    const problem = problemOf(name, definition)
    if (problem !== null) throw new PolicyError(name, problem)
    registry.set(name, definition)
  }
  return registry
}

function problemOf(name: string, definition: PolicyDefinition): string | null {
  if (!POLICY_NAME.test(name)) {
    return 'has an unusable name: it takes a lower-case letter, then up to 63 of a-z, 0-9 and _'
  }
  if (BUILT_IN_POLICIES.has(name)) return 'has the name of a built-in policy: choose another one'
  // Plug-ins may be plain JavaScript, so the types prove nothing.
  if (typeof definition?.create !== 'function' || typeof definition.options?.safeParse !== 'function') {
    return 'is no policy definition: build it with definePolicy({ name, options, create })'
  }
  if (definition.name !== name) {
    return `is registered as \`${name}\` but its definition is named \`${definition.name}\`: use one name for both`
  }
  return null
}
