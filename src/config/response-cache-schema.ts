// `cache` and `semantic_cache`: answers that are given again. Both are off unless they are there, as what they keep is text.

import * as z from 'zod'
import { cacheRedisSchema, checkCacheRedis, toCacheRedis } from './cache-redis-schema.ts'
import type { ResponseCacheConfig, SemanticCacheConfig } from './config.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { checkEmbeddingServer, embeddingServerShape, toEmbeddingServer } from './embedding-server-schema.ts'
import { errorAt, type Problem, warningAt } from './finding.ts'
import { byteSize, flag, seconds, wholeNumber } from './scalars.ts'

const MAX_ENTRIES = 1_000_000
/** All of a partition are compared with each request. */
const MAX_SEMANTIC_ENTRIES = 10_000
const THRESHOLD = 'must be a number above 0 and up to 1, such as 0.95'
/** KV takes 25 MiB, and what is kept beside the body has to fit too. */
const MAX_BODY_BYTES = 24 * 1024 * 1024
const KV_LEAST_TTL_SECONDS = 60

/** What both caches have. */
const keepingShape = {
  /** Of one process or isolate; a Redis has limits of its own. */
  max_bytes: byteSize().default(32 * 1024 * 1024),
  /** Longer answers are passed on, and not kept. */
  max_body_bytes: byteSize()
    .refine((bytes) => bytes <= MAX_BODY_BYTES, { error: 'must be at most 24MiB' })
    .default(1024 * 1024),
  /** Whether answers that a worker would not give twice are kept too. */
  cache_nondeterministic: flag().default(false),
  redis: cacheRedisSchema.optional(),
}

export const responseCacheSchema = z.strictObject({
  backend: z.enum(['memory', 'kv', 'redis'], { error: 'must be memory, kv or redis' }).default('memory'),
  max_entries: wholeNumber(1, MAX_ENTRIES).default(1_024),
  ttl_secs: seconds().default(60),
  ...keepingShape,
})

export function toResponseCache(section: z.output<typeof responseCacheSchema> | undefined): ResponseCacheConfig | null {
  return section === undefined ? null : { ...toKeeping(section), backend: section.backend }
}

interface KeepingSection extends Pick<
  z.output<typeof responseCacheSchema>,
  'max_entries' | 'ttl_secs' | 'max_bytes' | 'max_body_bytes' | 'cache_nondeterministic' | 'redis'
> {
  readonly backend: string
}

function toKeeping(section: KeepingSection): Omit<ResponseCacheConfig, 'backend'> {
  return {
    maxEntries: section.max_entries,
    ttlMs: section.ttl_secs * 1000,
    maxBytes: section.max_bytes,
    maxBodyBytes: section.max_body_bytes,
    cachesNondeterministic: section.cache_nondeterministic,
    redis: section.backend === 'redis' && section.redis !== undefined ? toCacheRedis(section.redis) : null,
  }
}

export const semanticCacheSchema = z.strictObject({
  /** False leaves it to decisions with a plugin `semantic-cache`. */
  enabled: flag().default(true),
  ...embeddingServerShape,
  /** Cosine from which two questions mean the same. */
  threshold: z.number({ error: THRESHOLD }).gt(0, { error: THRESHOLD }).max(1, { error: THRESHOLD }).default(0.95),
  backend: z.enum(['memory', 'redis'], { error: 'must be memory or redis' }).default('memory'),
  /** With Redis those of one partition. */
  max_entries: wholeNumber(1, MAX_SEMANTIC_ENTRIES).default(256),
  ttl_secs: seconds().default(300),
  ...keepingShape,
})

export function toSemanticCache(section: z.output<typeof semanticCacheSchema> | undefined): SemanticCacheConfig | null {
  if (section === undefined) return null
  const { backend } = section
  return {
    ...toKeeping(section),
    backend,
    isEnabled: section.enabled,
    server: toEmbeddingServer(section),
    timeoutMs: section.embedding_timeout_ms,
    threshold: section.threshold,
  }
}

export function checkSemanticCache({
  file: { semantic_cache: section },
  hasSockets,
  bindings,
}: Pick<CrossCheckInput, 'file' | 'hasSockets' | 'bindings'>): Problem[] {
  if (section === undefined) return []
  return [
    ...checkEmbeddingServer(section, ['semantic_cache'], { bindings }),
    ...checkRedis('semantic_cache', section, hasSockets),
  ]
}

export function checkResponseCache({
  file: { cache },
  hasSockets,
  kvNamespaces,
}: Pick<CrossCheckInput, 'file' | 'hasSockets' | 'kvNamespaces'>): Problem[] {
  if (cache === undefined) return []
  return [
    ...checkRedis('cache', cache, hasSockets),
    ...(cache.backend === 'kv' ? checkKv(cache.ttl_secs, kvNamespaces) : []),
  ]
}

type RedisSection = {
  readonly backend?: string | undefined
  readonly redis?: Parameters<typeof checkCacheRedis>[0] | undefined
}

function checkRedis(name: string, section: RedisSection, hasSockets: boolean | null): Problem[] {
  const { backend, redis } = section
  if (backend === 'redis' && !('redis' in section)) {
    const message = 'redis needs a section beside it: redis: {url: "redis://10.0.0.9:6379"}'
    return [errorAt([name, 'backend'], message)]
  }
  if (redis === undefined || backend === undefined) return []
  if (backend === 'redis') return checkCacheRedis(redis, [name, 'redis'], hasSockets)
  return [{ ...warningAt([name, 'redis'], `is not used: backend is ${backend}`), atKey: true }]
}

/** Name of the KV namespace that answers are kept in. */
export const KV_BINDING = 'RESPONSE_CACHE'

function checkKv(ttlSeconds: number | undefined, namespaces: readonly string[] | null): Problem[] {
  if (namespaces !== null && !namespaces.includes(KV_BINDING)) {
    const message = `kv can't be had here: no KV namespace is bound as ${KV_BINDING}; use memory or redis`
    return [errorAt(['cache', 'backend'], message)]
  }
  if (ttlSeconds === undefined || ttlSeconds >= KV_LEAST_TTL_SECONDS) return []
  return [
    warningAt(['cache', 'ttl_secs'], 'is less than the minute by which Workers KV may lag; few answers will be found'),
  ]
}
