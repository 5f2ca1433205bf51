// What `lmcache_aware` can be told, by the names that the Rust router has for it where it has them, and what of it the
// pipeline is to ask for.

import { toSecret } from '../../secret.ts'
import * as z from 'zod'
import { loadFactorOption } from '../load-bound.ts'
import type { LmcacheNeeds } from '../policy.ts'

/** Longest wait for the control plane: requests wait for it. */
const LONGEST_CALL_MS = 60_000

/** Text that no page shows; `***` is how one that was hidden comes back. */
const key = z
  .string('must be text in quotes')
  .regex(/^[\x21-\x7e]+$/, 'is empty, or has a space, a line break or a character beyond ASCII, which no key may have')
  .refine((value) => value !== '***', 'is ***, which is how the admin API shows a secret; write the secret itself')
  .meta({ secret: true })

const url = z
  .string('must be a URL such as http://10.0.0.9:9000')
  .refine(isPlainUrl, 'must be http:// or https:// with a host, without user, query or fragment')
  .meta({ reaches: 'service' })

const name = z.string('must be text; put quotes around numbers').min(1, 'must not be empty')

export const lmcacheAwareOptions = z.strictObject({
  controller_url: url.default('http://localhost:9000'),
  /** `legacy`: engines report to it themselves. `coordinator`: LMCache's servers do. */
  controller_type: z.enum(['legacy', 'coordinator']).default('legacy'),
  controller_api_key: key.optional(),
  /** Service or VPC binding that the controller is reached through. */
  controller_binding: name.meta({ reaches: 'binding' }).optional(),
  /** For each call. */
  controller_timeout_ms: wholeNumber(1, LONGEST_CALL_MS).default(2_000),
  poll_interval_secs: z.number().min(1, 'must be at least 1 second').max(3_600).default(10),
  lookup_mode: z.enum(['occupancy', 'prefix_lookup']).default('occupancy'),
  /** For tokenising a prompt and looking it up, together. */
  lookup_budget_ms: wholeNumber(1, LONGEST_CALL_MS).default(100),
  /** Shorter prompts are not looked up: LMCache keeps whole chunks only. */
  min_prompt_tokens: wholeNumber(0, 10_000_000).default(256),
  max_lookup_tokens: wholeNumber(256, 10_000_000).default(32_768),
  /** How much a cached prefix counts against load; at 1 the longest one wins. */
  cache_weight: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1').default(0.7),
  /** With `lookup_mode: occupancy`: nearer to 1 than of `consistent_hash`, as nothing is lost by going elsewhere. */
  load_factor: loadFactorOption.default(1.1),
  /** Worker id or URL by LMCache's instance id; several where one instance serves several workers. */
  lmcache_worker_map: z
    .record(name, z.union([name, z.array(name).min(1)]), 'must be a map such as {vllm-001: "http://10.0.0.7:8000"}')
    .default({}),
  /** Policy to go by where nothing is known of caches. */
  fallback_policy: name.default('power_of_two'),
  prefill_ms_per_token: z.number().positive('must be above zero').max(1_000).default(0.2),
  /** Tensor-parallel ranks of each engine; the coordinator wants to know. */
  world_size: wholeNumber(1, 1_024).default(1),
  /** Takes a worker that holds the end of a chain to hold its beginning too. */
  assume_chains: z.boolean('must be true or false, without quotes').default(false),
})

export type LmcacheAwareOptions = z.output<typeof lmcacheAwareOptions>

/** What is to be found out before a decision. */
export function toLmcacheNeeds(options: LmcacheAwareOptions): LmcacheNeeds {
  return {
    prefillMsPerToken: options.prefill_ms_per_token,
    controllerUrl: options.controller_url.replace(/\/+$/, ''),
    controllerType: options.controller_type,
    controllerApiKey: toSecret(options.controller_api_key),
    controllerBinding: options.controller_binding ?? null,
    controllerTimeoutMs: options.controller_timeout_ms,
    pollIntervalMs: options.poll_interval_secs * 1_000,
    workerMap: Object.fromEntries(
      Object.entries(options.lmcache_worker_map).map(([id, workers]) => [id, [workers].flat()]),
    ),
    lookup: options.lookup_mode === 'occupancy' ? null : toLookupNeeds(options),
  }
}

function toLookupNeeds(options: LmcacheAwareOptions): LmcacheNeeds['lookup'] {
  return {
    minPromptTokens: options.min_prompt_tokens,
    maxTokens: options.max_lookup_tokens,
    budgetMs: options.lookup_budget_ms,
    worldSize: options.world_size,
    assumesChains: options.assume_chains,
  }
}

/** Options that do nothing as the others are. */
export function warningsFor(options: LmcacheAwareOptions): string[] {
  const warnings: string[] = []
  if (options.world_size > 1 && options.controller_type === 'legacy') {
    warnings.push('`world_size` has no effect: only the coordinator asks for it. Remove it.')
  }
  if (options.assume_chains && options.lookup_mode === 'occupancy') {
    warnings.push('`assume_chains` has no effect: it is about lookups. Set lookup_mode: prefix_lookup, or remove it.')
  }
  if (options.load_factor === 'off' && options.lookup_mode === 'occupancy') {
    warnings.push(
      '`load_factor: off` has the fullest cache get everything until all are as full, whatever waits there. Remove it.',
    )
  }
  return warnings
}

function wholeNumber(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`
  return z.int({ error }).min(minimum, { error }).max(maximum, { error })
}

function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\/[^/?#\s\\]/.test(text) || !URL.canParse(text)) return false
  const { username, password, href } = new URL(text)
  return username === '' && password === '' && !/[?#]/.test(href)
}
