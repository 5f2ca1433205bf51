import { describe, expect, test } from 'vitest'
import { policyRegistry } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'
import type { ReplayPlatform } from './router-replay-checks.ts'

const SERVER: ReplayPlatform = { missing: {}, hasSockets: true, hyperdrives: null }
const LMCACHE = 'policy: {type: lmcache_aware, lookup_mode: prefix_lookup}'

async function load(text: string, { policy = LMCACHE, hasSockets = true } = {}) {
  const result = await loadConfig(`workers: [{url: "http://a:1"}, {url: "http://b:1"}]\n${policy}\n${text}`, {
    env: () => undefined,
    policies: policyRegistry(undefined),
    ...(hasSockets ? { replayPlatform: SERVER } : { hasSockets }),
  })
  const findings = result.findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
  return { findings, config: result.ok ? result.config : null }
}

describe('prompt_cache', () => {
  test('is off without the section, and with `enabled: false`', async () => {
    expect((await load('')).config?.promptCache).toBeNull()
    expect((await load('prompt_cache: {enabled: false}')).config?.promptCache).toBeNull()
  })

  test('is in memory unless it says otherwise', async () => {
    const { findings, config } = await load('prompt_cache: {}')
    expect(findings).toEqual([])
    expect(config?.promptCache).toEqual({
      ttlMs: 3_600_000,
      maxBytes: 33_554_432,
      maxEntries: 10_000,
      redis: null,
      readBudgetMs: 20,
      byMessagePrefix: false,
    })
  })

  test('takes what the Rust router takes, and more', async () => {
    const { findings, config } = await load(
      'prompt_cache: {backend: redis, ttl_secs: 60, max_entries: 5, max_bytes: 1MiB, read_budget_ms: 50, ' +
        'by_message_prefix: true, redis: {url: "redis://10.0.0.9:6379/0", key_prefix: "p:", pool_size: 8, ' +
        'connection_timeout_ms: 3000, command_timeout_ms: 300}}',
    )
    expect(findings).toEqual([
      'warning prompt_cache.redis.pool_size: has no effect here: one connection takes any number of commands',
      'warning prompt_cache.redis.connection_timeout_ms: has no effect here: no request waits for a connection beyond its budget',
    ])
    expect(config?.promptCache).toMatchObject({
      ttlMs: 60_000,
      byMessagePrefix: true,
      redis: { url: 'redis://10.0.0.9:6379/0', restUrl: null, keyPrefix: 'p:', commandTimeoutMs: 300 },
    })
  })

  test('falls back on the Redis of `cache`', async () => {
    const { findings, config } = await load(
      'cache: {backend: redis, redis: {rest_url: "https://eu1.upstash.io", token: t}}\nprompt_cache: {backend: redis}',
    )
    expect(findings).toEqual([])
    expect(config?.promptCache?.redis).toMatchObject({ restUrl: 'https://eu1.upstash.io', token: 't' })
  })

  test('a secret is in no document and counts for the hash', async () => {
    const one = await load('prompt_cache: {backend: redis, redis: {url: "redis://:one@a:1"}}')
    const two = await load('prompt_cache: {backend: redis, redis: {url: "redis://:two@a:1"}}')
    expect(one.config?.hash).not.toBe(two.config?.hash)
    expect(JSON.stringify(one.config?.document)).not.toContain('one@')
  })

  test.each([
    ['{backend: redis}', 'error prompt_cache.backend: redis needs a section beside it'],
    ['{backend: redis, redis: {}}', 'error prompt_cache.redis: needs a url, or a rest_url with its token'],
    [
      '{backend: redis, redis: {rest_url: "https://a.io"}}',
      'error prompt_cache.redis.rest_url: needs a token beside it',
    ],
    [
      '{backend: redis, redis: {url: "redis://a", rest_url: "https://a.io", token: t}}',
      'error prompt_cache.redis.rest_url: stands beside url',
    ],
    ['{backend: redis, redis: {url: "http://a"}}', 'error prompt_cache.redis.url: must be a URL such as redis://'],
    [
      '{backend: redis, redis: {url: "redis://a", tls_skip_verify: true}}',
      'error prompt_cache.redis.tls_skip_verify: is about certificates',
    ],
    ['{redis: {url: "redis://a"}}', 'warning prompt_cache.redis: is not used: backend is memory'],
    ['{backend: disk}', 'error prompt_cache.backend: must be memory or redis'],
    ['{ttl: 5}', 'error prompt_cache.ttl: '],
  ])('%s: %s', async (section, finding) => {
    const { findings } = await load(`prompt_cache: ${section}`)
    expect(findings).toEqual([expect.stringContaining(finding)])
  })

  test('needs HTTP on Workers', async () => {
    const { findings } = await load('prompt_cache: {backend: redis, redis: {url: "redis://a"}}', { hasSockets: false })
    expect(findings).toEqual([expect.stringContaining("error prompt_cache.redis.url: can't be reached from a Worker")])
  })

  test('is of no use under a policy that asks for no ids', async () => {
    const { findings } = await load('prompt_cache: {}', { policy: 'policy: cache_aware' })
    expect(findings).toEqual([expect.stringContaining('warning prompt_cache: is not used: the policy asks for no')])
  })
})

describe('shared_prefix_routing', () => {
  const policy = 'policy: cache_aware'

  test('takes every setting', async () => {
    const { findings, config } = await load(
      'shared_prefix_routing: {backend: redis, ttl_secs: 60, write_probability: 0.5, read_on_local_miss: false, ' +
        'budget_ms: 8, redis: {url: "rediss://a:1", tls_skip_verify: true}}',
      { policy },
    )
    expect(findings).toEqual([])
    expect(config?.sharedPrefixes).toMatchObject({
      store: { kind: 'redis', redis: { url: 'rediss://a:1', skipsVerification: true, keyPrefix: 'vllm-router:' } },
      ttlMs: 60_000,
      writeProbability: 0.5,
      readsOnLocalMiss: false,
      budgetMs: 8,
    })
  })

  test('is in Durable Objects on Workers', async () => {
    const { findings, config } = await load('shared_prefix_routing: {backend: durable_object}', {
      policy,
      hasSockets: false,
    })
    expect(findings).toEqual([])
    expect(config?.sharedPrefixes).toEqual({
      store: { kind: 'durable_object' },
      ttlMs: 300_000,
      writeProbability: 0.1,
      readsOnLocalMiss: true,
      budgetMs: 5,
    })
  })

  test.each([
    ['{}', 'warning shared_prefix_routing.backend: memory shares nothing'],
    ['{backend: redis}', 'error shared_prefix_routing.backend: redis needs a section beside it'],
    [
      '{backend: durable_object}',
      'error shared_prefix_routing.backend: durable_object is there on Cloudflare Workers alone',
    ],
    [
      '{backend: redis, prefix_chars: 256, redis: {url: "redis://a"}}',
      'warning shared_prefix_routing.prefix_chars: has no effect here',
    ],
    [
      '{backend: redis, write_probability: 2, redis: {url: "redis://a"}}',
      'error shared_prefix_routing.write_probability: must be a number from 0 to 1',
    ],
  ])('%s: %s', async (section, finding) => {
    const { findings } = await load(`shared_prefix_routing: ${section}`, { policy })
    expect(findings).toEqual([expect.stringContaining(finding)])
  })

  test('is of no use under a policy that looks for no prefixes', async () => {
    const { findings } = await load('shared_prefix_routing: {backend: redis, redis: {url: "redis://a"}}', {
      policy: 'policy: random',
    })
    expect(findings).toEqual([expect.stringContaining('warning shared_prefix_routing: is not used')])
  })
})
