import { describe, expect, test } from 'vitest'
import { policyRegistry } from '../routing/policies/index.ts'
import { loadConfig, type LoadOptions } from './load.ts'

async function load(section: string, options: Partial<LoadOptions> = {}) {
  const result = await loadConfig(`workers: [{url: "http://a:1"}]\n${section}`, {
    env: () => undefined,
    policies: policyRegistry(undefined),
    ...options,
  })
  const findings = result.findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
  return { findings, config: result.ok ? result.config : null }
}

const ON_WORKERS = { hasSockets: false, kvNamespaces: ['RESPONSE_CACHE'] }

test('there is no cache unless it is asked for', async () => {
  const { config } = await load('')
  expect([config?.responseCache, config?.semanticCache]).toEqual([null, null])
})

test('the section alone has all defaults, and keeps what is deterministic', async () => {
  expect((await load('cache: {}')).config?.responseCache).toEqual({
    backend: 'memory',
    maxEntries: 1_024,
    maxBytes: 32 * 1024 * 1024,
    ttlMs: 60_000,
    maxBodyBytes: 1024 * 1024,
    cachesNondeterministic: false,
    redis: null,
  })
})

test('the Rust router’s section loads, and says what has no effect', async () => {
  const redis =
    'redis: {url: "redis://r:6379/0", pool_size: 8, key_prefix: "p:", command_timeout_ms: 100, connection_timeout_ms: 3000}'
  const { config, findings } = await load(`cache: {backend: redis, max_entries: 5, ttl_secs: 9, ${redis}}`)
  expect(config?.responseCache).toMatchObject({ backend: 'redis', maxEntries: 5, ttlMs: 9_000 })
  expect(config?.responseCache?.redis).toMatchObject({
    url: 'redis://r:6379/0',
    keyPrefix: 'p:',
    commandTimeoutMs: 100,
  })
  expect(findings).toEqual([
    expect.stringMatching(/^warning cache\.redis\.pool_size: has no effect/),
    expect.stringMatching(/^warning cache\.redis\.connection_timeout_ms: has no effect/),
  ])
})

test('the semantic one has its server, and what the other has', async () => {
  const { config, findings } = await load(
    'semantic_cache: {embeddings_url: "http://e:1", embeddings_api_key: k, embeddings_model: x, threshold: 0.8, embedding_timeout_ms: 50, enabled: false}',
  )
  expect(findings).toEqual([])
  expect(config?.semanticCache).toMatchObject({
    isEnabled: false,
    server: { url: 'http://e:1', model: 'x', apiKey: 'k', binding: null },
    threshold: 0.8,
    timeoutMs: 50,
    ttlMs: 300_000,
    maxEntries: 256,
    backend: 'memory',
  })
})

describe('what is wrong', () => {
  test.each<[string, string, RegExp, Partial<LoadOptions>?]>([
    ['a place nobody knows', 'cache: {backend: memcached}', /error cache\.backend: must be memory, kv or redis/],
    ['Redis without an address', 'cache: {backend: redis}', /error cache\.backend: redis needs a section/],
    ['an empty one', 'cache: {backend: redis, redis: {}}', /error cache\.redis: needs a url/],
    [
      'an address that is not used',
      'cache: {redis: {url: "redis://r"}}',
      /warning cache\.redis: is not used: backend is memory/,
    ],
    [
      'sockets on Workers',
      'cache: {backend: redis, redis: {url: "redis://r"}}',
      /error cache\.redis\.url: can't be reached from a Worker/,
      ON_WORKERS,
    ],
    [
      'KV where there is none',
      'cache: {backend: kv, ttl_secs: 600}',
      /error cache\.backend: kv can't be had here/,
      { bindings: [] },
    ],
    [
      'KV for less than it lags',
      'cache: {backend: kv, ttl_secs: 30}',
      /warning cache\.ttl_secs: is less than the minute/,
      ON_WORKERS,
    ],
    ['bodies that fit nowhere', 'cache: {max_body_bytes: 25MiB}', /error cache\.max_body_bytes: must be at most 24MiB/],
    ['no server of vectors', 'semantic_cache: {}', /error semantic_cache: has no embeddings server/],
    [
      'meaning in KV',
      'semantic_cache: {embeddings_url: "http://e:1", backend: kv}',
      /error semantic_cache\.backend: must be memory or redis/,
    ],
    [
      'a threshold that lets all through',
      'semantic_cache: {embeddings_url: "http://e:1", threshold: 0}',
      /error semantic_cache\.threshold: must be a number above 0/,
    ],
  ])('%s', async (_, section, expected, options = {}) => {
    expect((await load(section, options)).findings).toEqual([expect.stringMatching(expected)])
  })

  test('nothing with KV where it is bound, and with Redis over HTTP', async () => {
    const http =
      'semantic_cache: {embeddings_url: "http://e:1", backend: redis, redis: {rest_url: "https://r", token: t}}'
    expect((await load(`cache: {backend: kv, ttl_secs: 300}\n${http}`, ON_WORKERS)).findings).toEqual([])
  })
})

test('secrets count for the hash, and are in it as digests alone', async () => {
  const hashOf = async (token: string) =>
    (await load(`cache: {backend: redis, redis: {rest_url: "https://r", token: ${token}}}`)).config?.hash
  expect(await hashOf('one-0123456789')).not.toBe(await hashOf('two-0123456789'))
})
