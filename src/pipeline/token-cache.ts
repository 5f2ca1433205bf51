// The token cache that a configuration asks for.

import { equalSettings } from '../secret.ts'
import { MessagePrefixes } from '../cache/message-prefixes.ts'
import { StoredTokens } from '../cache/stored-tokens.ts'
import { NO_TOKEN_CACHE, type TokenCache } from '../cache/token-cache.ts'
import { TokenMemory } from '../cache/token-memory.ts'
import { createRedisTokenStore } from '../cache/token-store.ts'
import type { Config } from '../config/config.ts'
import type { PromptCacheConfig } from '../config/prompt-cache-schema.ts'
import type { Platform } from '../platform.ts'
import type { RedisShelf } from '../store/redis-shelf.ts'
import { createBreaker } from '../upstream/breaker.ts'
import type { CacheFailure, PipelineEvents } from './events.ts'

export interface TokenCacheParts {
  readonly platform: Pick<Platform, 'now' | 'after' | 'wakesAcrossRequests'>
  readonly redis: RedisShelf
  readonly events: Pick<PipelineEvents, 'cacheFailed'>
}

/** The cache of an earlier configuration where it would be the same one: what it holds stays good. */
export function tokenCacheFor(
  { promptCache }: Pick<Config, 'promptCache'>,
  parts: TokenCacheParts,
  earlier: { readonly config: Pick<Config, 'promptCache'>; readonly tokenCache: TokenCache } | null,
): TokenCache {
  if (promptCache === null) return NO_TOKEN_CACHE
  const isSame = earlier !== null && equalSettings(earlier.config.promptCache, promptCache)
  return isSame ? earlier.tokenCache : createTokenCache(promptCache, parts)
}

function createTokenCache(config: PromptCacheConfig, { platform, redis, events }: TokenCacheParts): TokenCache {
  const { now, after } = platform
  const onFailure = (why: CacheFailure['why']) => events.cacheFailed({ backend: 'redis:tokens', why })
  return new StoredTokens({
    memory: new TokenMemory({ ...config, now }),
    shared: config.redis && {
      store: createRedisTokenStore({
        redis: redis.at(config.redis),
        keyPrefix: config.redis.keyPrefix,
        ttlMs: config.ttlMs,
      }),
      reads: { gate: createBreaker({ now }), after, budgetMs: config.readBudgetMs, onFailure },
      // Of its own: a server that is too slow for a read may be quick enough for a write.
      writes: { gate: createBreaker({ now }), after, budgetMs: config.redis.commandTimeoutMs, onFailure },
    },
    prefixes: config.byMessagePrefix ? new MessagePrefixes(now) : null,
    canJoin: platform.wakesAcrossRequests,
  })
}
