// Opens the response caches that a configuration wants: in its own memory, or in a place that the platform knows a way to.

import { equalSettings } from '../secret.ts'
import { KvResponseStore } from '../cache/response-kv.ts'
import { MemoryResponseStore } from '../cache/response-memory.ts'
import { RedisResponseStore } from '../cache/response-redis.ts'
import type { ResponseStore } from '../cache/response-store.ts'
import { MemorySemanticStore } from '../cache/semantic-memory.ts'
import { RedisSemanticStore } from '../cache/semantic-redis.ts'
import type { SemanticStore } from '../cache/semantic-store.ts'
import type { Config, ResponseCacheConfig, SemanticCacheConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import type { PurgeNews } from '../store/purge-log.ts'
import type { RedisShelf } from '../store/redis-shelf.ts'
import type { CacheEvents } from './cache-calls.ts'
import { ResponseCache } from './response-cache.ts'
import { SemanticCache } from './semantic-cache.ts'

export interface CacheParts {
  readonly platform: Pick<Platform, 'now' | 'after' | 'wakesAcrossRequests' | 'answerNamespace' | 'randomId'>
  readonly events: CacheEvents
  readonly redis: RedisShelf
  /** What is known now of the fleet's purges. */
  purges(): PurgeNews | null
}

/** Null for what is not configured. */
export interface ResponseCaches {
  readonly responseCache: ResponseCache | null
  readonly semanticCache: SemanticCache | null
}

/** The earlier ones where they mean the same: a reload must not forget answers. */
export function responseCachesFor(
  { responseCache: exact, semanticCache: semantic }: Config,
  parts: CacheParts,
  earlier: ResponseCaches | null,
): ResponseCaches {
  return {
    responseCache: sameOr(earlier?.responseCache ?? null, exact, (config) => {
      return new ResponseCache({ ...parts, config, store: openExact(config, parts) })
    }),
    semanticCache: sameOr(earlier?.semanticCache ?? null, semantic, (config) => {
      return new SemanticCache({ ...parts, config, store: openSemantic(config, parts) })
    }),
  }
}

function sameOr<Settings, Cache extends { readonly config: Settings }>(
  earlier: Cache | null,
  config: Settings | null,
  open: (config: Settings) => Cache,
): Cache | null {
  if (config === null) return null
  return earlier !== null && equalSettings(earlier.config, config) ? earlier : open(config)
}

function openExact(config: ResponseCacheConfig, { platform, redis: shelf }: CacheParts): ResponseStore {
  const { backend, redis, ttlMs } = config
  const { answerNamespace: namespace, now, randomId } = platform
  if (backend === 'memory') return new MemoryResponseStore(config)
  if (backend === 'kv' && namespace !== undefined) return new KvResponseStore({ namespace, ttlMs, now, randomId })
  if (redis === null) throw unavailable('cache', backend)
  return new RedisResponseStore({ redis: shelf.at(redis), keyPrefix: redis.keyPrefix, ttlMs, randomId })
}

function openSemantic(config: SemanticCacheConfig, { platform, redis: shelf }: CacheParts): SemanticStore {
  const { backend, redis, maxEntries } = config
  const { randomId } = platform
  if (backend === 'memory') return new MemorySemanticStore(config)
  if (redis === null) throw unavailable('semantic_cache', backend)
  return new RedisSemanticStore({ redis: shelf.at(redis), keyPrefix: redis.keyPrefix, maxEntries, randomId })
}

/** The configuration was checked where a platform says what it has; a program with one of its own need not have said it. */
function unavailable(section: string, backend: string): Error {
  return new Error(`${section}: the backend ${backend} can not be had on this platform`)
}
