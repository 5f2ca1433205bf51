// Who may call, and how much: keys of tenants, the one key for all, services that check keys, and the limit on what the
// router takes on at once.

import * as z from 'zod'
import { digestOfKey } from '../access/key-digest.ts'
import type { KeyValidationConfig, OverloadConfig, TenantConfig } from './config.ts'
import { flag, list, seconds, text, wholeNumber } from './scalars.ts'
import { secretString } from './schema-walk.ts'
import { hookUrl } from './worker-url.ts'

const tenantName = z
  .string({ error: 'must be text; put quotes around numbers' })
  // Stands in records, metrics and the names of objects.
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
    error: 'must be 1 to 64 letters, digits or . _ -, starting with a letter or digit',
  })

/** SHA-256 of a key, as `printf %s KEY | sha256sum` prints it. */
const keySha256 = z
  .string({ error: 'must be text in quotes' })
  .regex(/^[0-9A-Fa-f]{64}$/, { error: 'must be the SHA-256 of the key, 64 hexadecimal digits' })
  .meta({ secret: true })

/** One entry of `api_keys`; several with one name are several keys of one tenant. */
export const tenantSchema = z
  .strictObject(
    {
      name: tenantName,
      key: secretString().optional(),
      key_sha256: keySha256.optional(),
      /** Requests per second, with bursts of the same size. */
      rate_limit_rps: z
        .number({ error: 'must be a number above 0' })
        .positive({ error: 'must be above 0; use enabled: false to lock a tenant out' })
        .nullable()
        .default(null),
      /** Requests being answered at a time. */
      max_concurrent: wholeNumber(1, 1_000_000).nullable().default(null),
      /** Prompt and completion tokens per minute. */
      tokens_per_minute: wholeNumber(1, 1_000_000_000).nullable().default(null),
      /** Exact names, beginnings with `*` at the end, or `*`. */
      allowed_models: list(text(), '["llama-3.1-8b", "openai/*"]')
        .min(1, { error: 'lists no model; use enabled: false to lock a tenant out' })
        .default(['*']),
      enabled: flag().default(true),
      /** Share of a full router relative to other tenants. */
      weight: z.number({ error: 'must be a number above 0' }).positive({ error: 'must be above 0' }).default(1),
      metadata: z
        .record(z.string(), z.string({ error: 'must be text; put quotes around numbers' }), {
          error: 'must be a map such as {team: search}',
        })
        .default({}),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'must be a map such as {name: search, key: "${SEARCH_KEY}"}' : undefined,
    },
  )
  .superRefine(({ key, key_sha256: sha256 }, context) => {
    if ((key === undefined) !== (sha256 === undefined)) return
    const message = key === undefined ? 'has neither key nor key_sha256; give one' : 'has key and key_sha256; keep one'
    context.addIssue({ code: 'custom', message })
  })

export const keyValidationSchema = z.strictObject({
  timeout_ms: wholeNumber(1, 60_000).default(1_000),
  /** How long an accepted key lives without being asked about again, and so how long a withdrawn one does. */
  ttl_secs: seconds().default(5),
  /** How long a refused key is not asked about again. */
  refused_ttl_secs: seconds().default(5),
  /** What happens to a caller while no service answers: 503, or what was known of the key within `stale_secs`. */
  on_outage: z.enum(['refuse', 'stale']).default('refuse'),
  stale_secs: seconds().default(300),
})

export const callerShape = {
  // Not nullable: a key that came out empty must never open the router.
  inbound_api_key: secretString().optional(),
  allow_anonymous: flag().default(false),
  api_keys: list(tenantSchema, '[{name: search, key: "${SEARCH_KEY}"}]').default([]),
  api_key_validation_urls: list(hookUrl(), '["http://10.0.0.9:9000/check-key"]').default([]),
  api_key_validation: keyValidationSchema.prefault({}),
}

export const overloadShape = {
  /** Requests the router works on at a time: of one process, or of one isolate on Workers. */
  max_concurrent_requests: wholeNumber(1, 10_000_000).nullable().default(null),
  /** Requests that may wait for a place. */
  queue_size: wholeNumber(0, 100_000).default(100),
  queue_timeout_secs: seconds().default(60),
}

type TenantEntry = z.output<typeof tenantSchema>

/** Tenants by name: the entries of one name are its keys, and the first says everything else. */
export function toTenants(entries: readonly TenantEntry[]): readonly TenantConfig[] {
  const names = [...new Set(entries.map(({ name }) => name))]
  return names.map((name) => toTenant(entries.filter((entry) => entry.name === name)))
}

function toTenant(entries: readonly TenantEntry[]): TenantConfig {
  const [first] = entries
  if (first === undefined) throw new Error('a tenant has at least one entry')
  return {
    name: first.name,
    keyDigests: [...new Set(entries.map((entry) => entry.key_sha256?.toLowerCase() ?? digestOfKey(entry.key ?? '')))],
    rateLimitRps: first.rate_limit_rps,
    maxConcurrent: first.max_concurrent,
    tokensPerMinute: first.tokens_per_minute,
    allowedModels: first.allowed_models,
    isEnabled: first.enabled,
    weight: first.weight,
    metadata: first.metadata,
  }
}

export function toKeyValidation(
  urls: readonly string[],
  settings: z.output<typeof keyValidationSchema>,
): KeyValidationConfig | null {
  if (urls.length === 0) return null
  return {
    urls: [...new Set(urls)],
    timeoutMs: settings.timeout_ms,
    acceptedTtlMs: settings.ttl_secs * 1000,
    refusedTtlMs: settings.refused_ttl_secs * 1000,
    onOutage: settings.on_outage,
    staleMs: settings.stale_secs * 1000,
  }
}

export function toOverload(file: {
  readonly max_concurrent_requests: number | null
  readonly queue_size: number
  readonly queue_timeout_secs: number
}): OverloadConfig | null {
  if (file.max_concurrent_requests === null) return null
  return {
    maxConcurrent: file.max_concurrent_requests,
    queueSize: file.queue_size,
    queueTimeoutMs: file.queue_timeout_secs * 1000,
  }
}
