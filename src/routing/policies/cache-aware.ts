// Cache aware: the candidate that will have read the prompt first, by what of it is cached there and what waits there.

import * as z from 'zod'
import { definePolicy, type Policy } from '../policy.ts'
import { type Balance, scoreByCache } from './cache-aware-score.ts'

/** Which the Rust router assumes for the one threshold of two that is not given. */
const RUST_BALANCE: Balance = { more: 32, times: 1.1 }

/** Below this much of each worker's prompts a single long prompt may not fit. */
const SMALL_TREE_CHARACTERS = 1024 * 1024

const cacheAwareOptions = z.strictObject({
  /** Bytes of a block of a prompt: what shares fewer is not told apart. */
  block_bytes: z.int().min(128).max(65_536).multipleOf(4).default(2_048),
  /** What a token costs to prefill until first bytes have told. */
  prefill_ms_per_token: z.number().positive().max(1_000).default(0.2),
  /** What each request in flight takes from the next one, besides what it waits to have prefilled. */
  request_ms: z.number().min(0).max(60_000).default(20),
  /** Memory of the index, of all models and workers together. */
  index_bytes: z
    .int()
    .min(65_536)
    .default(16 * 1024 * 1024),
  /** Of the Rust router: what of a prompt must be cached, as a share, for caches to count. */
  cache_threshold: z.number().min(0).max(1).optional(),
  /** Of the Rust router: by how many requests, and how many times, loads must differ for caches not to count. */
  balance_abs_threshold: z.number().min(0).optional(),
  balance_rel_threshold: z.number().min(0).optional(),
  /** Of the Rust router: characters of prompts that a worker is taken to hold at most. */
  max_tree_size: z.int().min(1).optional(),
  /** Accepted from configurations of the Rust router; what doesn't fit goes at once. */
  eviction_interval_secs: z.int().min(0).optional(),
})

type CacheAwareOptions = z.output<typeof cacheAwareOptions>

/**
 * Score: minus the milliseconds until the prompt is read there. As Dynamo's and Mooncake's schedulers do, one unit for
 * cache and load, so that neither needs a weight (Mooncake, FAST 2025, section 6).
 */
export const cacheAware = definePolicy({
  name: 'cache_aware',
  options: cacheAwareOptions,
  create(options): Policy {
    const scoring = {
      requestMs: options.request_ms,
      cacheThreshold: options.cache_threshold ?? 0,
      balance: balanceOf(options),
    }
    return {
      name: 'cache_aware',
      needs: {
        prefix: {
          blockBytes: options.block_bytes,
          prefillMsPerToken: options.prefill_ms_per_token,
          indexBytes: options.index_bytes,
          workerBytes: options.max_tree_size,
        },
      },
      score: (input) => scoreByCache(input, scoring),
    }
  },
  warnings: warningsFor,
})

function balanceOf({ balance_abs_threshold: more, balance_rel_threshold: times }: CacheAwareOptions): Balance | null {
  if (more === undefined && times === undefined) return null
  return { more: more ?? RUST_BALANCE.more, times: times ?? RUST_BALANCE.times }
}

function warningsFor({ eviction_interval_secs, max_tree_size, block_bytes }: CacheAwareOptions): string[] {
  const warnings: string[] = []
  if (eviction_interval_secs !== undefined) {
    warnings.push('`eviction_interval_secs` has no effect: what does not fit into the index goes at once. Remove it.')
  }
  if (max_tree_size !== undefined && max_tree_size < SMALL_TREE_CHARACTERS) {
    const blocks = Math.max(1, Math.floor(max_tree_size / block_bytes))
    warnings.push(
      `\`max_tree_size\` lets the router remember ${blocks} blocks a worker, far less than a worker's cache holds. ` +
        'Remove it: how much workers hold is learned, within `index_bytes`.',
    )
  }
  return warnings
}
