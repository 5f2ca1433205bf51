// Whom questions about LMCache's caches are put to, and which workers its answers speak of. Made from a configuration, and
// kept by the next one that asks the same, so that a reload forgets no open breaker.

import { equalSettings } from '../secret.ts'
import type { Config, WorkerConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { LmcacheLookupNeeds, LmcacheNeeds } from '../routing/policy.ts'
import type { LmcacheInstance } from '../store/lmcache-occupancy.ts'
import { createInstanceJoin, type InstanceJoin } from '../upstream/lmcache/instances.ts'
import { createLookupClient, type LookupClient } from '../upstream/lmcache/lookup-client.ts'
import { createTokenizer, type Tokenizer } from '../upstream/tokenize.ts'
import { LmcacheSight } from './lmcache-sight.ts'

export interface LmcacheDesk {
  readonly needs: LmcacheNeeds
  /** Null where the policy looks no prompt up. */
  readonly lookups: LookupDesk | null
  /** Which workers stand behind instances, as far as `known` says who there is. */
  joinFor(known: readonly LmcacheInstance[]): InstanceJoin
  /** True once for each instance that no worker could be found for. */
  isNewStranger(instanceId: string): boolean
}

export interface LookupDesk {
  readonly needs: LmcacheLookupNeeds
  readonly client: LookupClient
  readonly tokenizer: Tokenizer
  /** Whether the control plane can be believed. */
  readonly sight: LmcacheSight
}

/** Most instances that are told of; beyond it something else is wrong. */
const MAX_STRANGERS = 100

/** Null where the policy wants nothing of LMCache. */
export function createLmcacheDesk(
  { policy, workers }: Pick<Config, 'policy' | 'workers'>,
  platform: Platform,
  earlier: LmcacheDesk | null,
): LmcacheDesk | null {
  const needs = policy.needs.lmcache ?? null
  if (needs === null) return null
  const isSame = earlier !== null && equalSettings(earlier.needs, needs)
  const lookups = isSame ? earlier.lookups : createLookupDesk(needs, platform)
  const strangers = new Set<string>()
  return {
    needs,
    lookups,
    joinFor: joiner(needs, workers),
    isNewStranger(instanceId) {
      if (strangers.size >= MAX_STRANGERS || strangers.has(instanceId)) return false
      strangers.add(instanceId)
      return true
    },
  }
}

function createLookupDesk(needs: LmcacheNeeds, platform: Platform): LookupDesk | null {
  const { lookup } = needs
  if (lookup === null) return null
  return {
    needs: lookup,
    client: createLookupClient({ platform, needs, lookup }),
    tokenizer: createTokenizer(platform),
    sight: new LmcacheSight(),
  }
}

/** Made anew only when the control plane says that somebody else is there. */
function joiner({ workerMap, controllerType }: LmcacheNeeds, workers: readonly WorkerConfig[]): LmcacheDesk['joinFor'] {
  let from: readonly LmcacheInstance[] | null = null
  let join: InstanceJoin = () => []
  return (known) => {
    if (known !== from) {
      from = known
      join = createInstanceJoin({ workers, workerMap, instances: known, isPerNode: controllerType === 'coordinator' })
    }
    return join
  }
}
