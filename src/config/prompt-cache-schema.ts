// `prompt_cache`: token ids of prompts, so that the same prompt is tokenised once.

import * as z from 'zod'
import { cacheRedisSchema, checkCacheRedis, type CacheRedisConfig, toCacheRedis } from './cache-redis-schema.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, type Problem, warningAt } from './finding.ts'
import { byteSize, flag, seconds, wholeNumber } from './scalars.ts'

/** Where token ids are kept, and for how long. */
export interface PromptCacheConfig {
  readonly ttlMs: number
  /** Of the memory of this process or isolate, which is always asked first. */
  readonly maxBytes: number
  readonly maxEntries: number
  /** Where several processes or isolates share them; null for each its own. */
  readonly redis: CacheRedisConfig | null
  /** How long a request waits for the Redis. */
  readonly readBudgetMs: number
  /** Whether leading ids of known messages are used for prompts that go on from there. */
  readonly byMessagePrefix: boolean
}

export const promptCacheSchema = z.strictObject({
  enabled: flag().default(true),
  backend: z.enum(['memory', 'redis'], { error: 'must be memory or redis' }).default('memory'),
  ttl_secs: seconds().default(3_600),
  max_entries: wholeNumber(1, 10_000_000).default(10_000),
  max_bytes: byteSize().default(32 * 1024 * 1024),
  redis: cacheRedisSchema.optional(),
  read_budget_ms: wholeNumber(1, 10_000).default(20),
  by_message_prefix: flag().default(false),
})

type Section = z.output<typeof promptCacheSchema>

/** `elsewhere` is the Redis of the response cache, which serves where this section names none. */
export function toPromptCache(
  section: Section | undefined,
  elsewhere: z.output<typeof cacheRedisSchema> | undefined,
): PromptCacheConfig | null {
  if (section?.enabled !== true) return null
  const redis = section.backend === 'redis' ? (section.redis ?? elsewhere) : undefined
  return {
    ttlMs: section.ttl_secs * 1000,
    maxBytes: section.max_bytes,
    maxEntries: section.max_entries,
    redis: redis === undefined ? null : toCacheRedis(redis),
    readBudgetMs: section.read_budget_ms,
    byMessagePrefix: section.by_message_prefix,
  }
}

const PATH = ['prompt_cache']

const UNUSED: Problem = {
  ...warningAt(
    PATH,
    'is not used: the policy asks for no token ids; lmcache_aware does with lookup_mode: prefix_lookup',
  ),
  atKey: true,
}

export function checkPromptCache({ file, policyNeeds, hasSockets }: CrossCheckInput): Problem[] {
  const section = file.prompt_cache
  if (section?.enabled !== true) return []
  return [
    ...(policyNeeds === null || policyNeeds.lmcache?.lookup ? [] : [UNUSED]),
    ...(section.backend === 'redis' ? checkBackend(section, file, hasSockets) : []),
    ...(section.backend === 'memory' && section.redis !== undefined
      ? [{ ...warningAt([...PATH, 'redis'], 'is not used: backend is memory'), atKey: true }]
      : []),
  ]
}

function checkBackend(
  section: NonNullable<CrossCheckInput['file']['prompt_cache']>,
  file: CrossCheckInput['file'],
  hasSockets: boolean | null,
): Problem[] {
  const { redis } = section
  if (redis !== undefined) return checkCacheRedis(redis, [...PATH, 'redis'], hasSockets)
  // One that was refused has a problem already.
  if ('redis' in section || 'redis' in (file.cache ?? {})) return []
  const message =
    'redis needs a section beside it: redis: {url: "redis://10.0.0.9:6379"}, or {rest_url: ..., token: ...}'
  return [errorAt([...PATH, 'backend'], message)]
}
