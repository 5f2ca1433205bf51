// What a configuration says of telling other routers and isolates which worker holds which prefix.

import { equalSettings } from '../secret.ts'
import type { Config } from '../config/config.ts'
import type { SharedPrefixConfig } from '../config/shared-prefix-schema.ts'
import type { Platform } from '../platform.ts'
import type { PrefixHintStore } from '../store/prefix-hints.ts'
import { createRedisPrefixHints } from '../store/redis-prefix-hints.ts'
import type { RedisShelf } from '../store/redis-shelf.ts'
import type { SharedPrefixes } from '../store/shared-prefixes.ts'
import { createToldPrefixes } from '../store/told-prefixes.ts'
import { createBreaker } from '../upstream/breaker.ts'
import type { CacheFailure, PipelineEvents } from './events.ts'

export interface SharedPrefixParts {
  readonly platform: Pick<Platform, 'now' | 'after' | 'random' | 'prefixHints'>
  readonly redis: RedisShelf
  readonly events: Pick<PipelineEvents, 'cacheFailed'>
}

/** How long an object may take to write a hint once the answer is out. */
const WRITE_MS = 2_000

/** Null where nobody is told or asked. What an earlier configuration has goes on where it would be the same. */
export function sharedPrefixesFor(
  { sharedPrefixes: config }: Pick<Config, 'sharedPrefixes'>,
  parts: SharedPrefixParts,
  earlier: { readonly config: Pick<Config, 'sharedPrefixes'>; readonly sharedPrefixes: SharedPrefixes | null } | null,
): SharedPrefixes | null {
  if (config === null) return null
  const isSame = earlier !== null && equalSettings(earlier.config.sharedPrefixes, config)
  return isSame ? earlier.sharedPrefixes : createSharedPrefixes(config, parts)
}

function createSharedPrefixes(
  config: SharedPrefixConfig,
  { platform, redis, events }: SharedPrefixParts,
): SharedPrefixes | null {
  const { now, after, random } = platform
  const { store: place } = config
  const onFailure = (why: CacheFailure['why']) => events.cacheFailed({ backend: `${place.kind}:prefixes`, why })
  const store: PrefixHintStore | null =
    place.kind === 'redis'
      ? createRedisPrefixHints({ redis: redis.at(place.redis), keyPrefix: place.redis.keyPrefix })
      : (platform.prefixHints ?? null)
  if (store === null) return null
  const writeMs = place.kind === 'redis' ? place.redis.commandTimeoutMs : WRITE_MS
  return createToldPrefixes({
    ...config,
    store,
    random,
    reads: { gate: createBreaker({ now }), after, budgetMs: config.budgetMs, onFailure },
    // Of its own: a store that is too slow for the budget of a question may still be told.
    writes: { gate: createBreaker({ now }), after, budgetMs: writeMs, onFailure },
  })
}
