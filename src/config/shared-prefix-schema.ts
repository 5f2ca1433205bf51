// `shared_prefix_routing`: routers and isolates tell each other which worker holds the beginning of a prompt.

import * as z from 'zod'
import { cacheRedisSchema, checkCacheRedis, type CacheRedisConfig, toCacheRedis } from './cache-redis-schema.ts'
import type { CrossCheckInput } from './cross-checks.ts'
import { errorAt, type Problem, warningAt } from './finding.ts'
import { flag, seconds, wholeNumber } from './scalars.ts'

/** Where hints are kept, how often they are written, and how long one may be waited for. */
export interface SharedPrefixConfig {
  readonly store: { readonly kind: 'durable_object' } | { readonly kind: 'redis'; readonly redis: CacheRedisConfig }
  readonly ttlMs: number
  /** Share of the answers that leave a hint. */
  readonly writeProbability: number
  readonly readsOnLocalMiss: boolean
  readonly budgetMs: number
}

export const SHARED_PREFIX_BACKENDS = ['memory', 'redis', 'durable_object'] as const

export const sharedPrefixSchema = z.strictObject({
  enabled: flag().default(true),
  backend: z
    .enum(SHARED_PREFIX_BACKENDS, { error: `must be one of ${SHARED_PREFIX_BACKENDS.join(', ')}` })
    .default('memory'),
  ttl_secs: seconds().default(300),
  write_probability: z
    .number({ error: 'must be a number from 0 to 1' })
    .min(0, { error: 'must be a number from 0 to 1' })
    .max(1, { error: 'must be a number from 0 to 1' })
    .default(0.1),
  read_on_local_miss: flag().default(true),
  /** The longest that a request waits for a hint. */
  budget_ms: wholeNumber(1, 1_000).default(5),
  redis: cacheRedisSchema.optional(),
  /** Of the Rust router; prefixes are told apart by the policy's blocks. */
  prefix_chars: wholeNumber(1, 1_000_000).optional(),
})

/** `elsewhere` is the Redis of the response cache, which serves where this section names none. */
export function toSharedPrefixes(
  section: z.output<typeof sharedPrefixSchema> | undefined,
  elsewhere: z.output<typeof cacheRedisSchema> | undefined,
): SharedPrefixConfig | null {
  // In memory nothing is shared, and what a process knows itself is in the policy's own index.
  if (section?.enabled !== true || section.backend === 'memory') return null
  const { backend, redis = elsewhere } = section
  if (backend === 'redis' && redis === undefined) return null
  return {
    store:
      backend === 'redis' && redis !== undefined
        ? { kind: 'redis', redis: toCacheRedis(redis) }
        : { kind: 'durable_object' },
    ttlMs: section.ttl_secs * 1000,
    writeProbability: section.write_probability,
    readsOnLocalMiss: section.read_on_local_miss,
    budgetMs: section.budget_ms,
  }
}

const PATH = ['shared_prefix_routing']

const UNUSED: Problem = {
  ...warningAt(PATH, 'is not used: the policy looks for no prefixes; cache_aware does'),
  atKey: true,
}

export function checkSharedPrefixes({ file, policyNeeds, hasSockets, replayPlatform }: CrossCheckInput): Problem[] {
  const section = file.shared_prefix_routing
  if (section?.enabled !== true) return []
  return [
    ...(policyNeeds === null || policyNeeds.prefix !== undefined ? [] : [UNUSED]),
    ...checkBackend(section, file, replayPlatform?.hasSockets ?? hasSockets),
    ...withoutEffect(section),
  ]
}

type PartlySection = NonNullable<CrossCheckInput['file']['shared_prefix_routing']>

function checkBackend(
  { backend, redis }: PartlySection,
  file: CrossCheckInput['file'],
  hasSockets: boolean | null,
): Problem[] {
  const at = [...PATH, 'backend']
  if (backend === 'memory') {
    return [
      warningAt(at, 'memory shares nothing between processes or isolates; use redis, or durable_object on Workers'),
    ]
  }
  if (backend === 'durable_object') {
    return hasSockets === true ? [errorAt(at, 'durable_object is there on Cloudflare Workers alone; use redis')] : []
  }
  if (redis !== undefined) return checkCacheRedis(redis, [...PATH, 'redis'], hasSockets)
  if (backend === undefined || 'redis' in (file.cache ?? {})) return []
  return [
    errorAt(
      at,
      'redis needs a section beside it: redis: {url: "redis://10.0.0.9:6379"}, or {rest_url: ..., token: ...}',
    ),
  ]
}

function withoutEffect({ prefix_chars: chars, redis, backend }: PartlySection): Problem[] {
  const problems: Problem[] = []
  if (chars !== undefined) {
    const message = 'has no effect here: prefixes are told apart by blocks, block_bytes of the policy says how long'
    problems.push({ ...warningAt([...PATH, 'prefix_chars'], message), atKey: true })
  }
  if (redis !== undefined && backend !== undefined && backend !== 'redis') {
    problems.push({ ...warningAt([...PATH, 'redis'], `is not used: backend is ${backend}`), atKey: true })
  }
  return problems
}
