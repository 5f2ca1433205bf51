// Callers in a configuration: keys as digests, tenants by name, and what is said about keys and settings that can't be meant.

import { describe, expect, test } from 'vitest'
import { digestOfKey } from '../access/key-digest.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

const LISTED = 'workers: [{url: "http://a:8000", models: [llama-8b, qwen]}]\n'

const load = (text: string, workers = 'workers: [{url: "http://a:8000"}]\n') =>
  loadConfig(`${workers}${text}`, { env: () => undefined, policies: BUILT_IN_POLICIES })

async function good(text: string) {
  const result = await load(text)
  if (!result.ok) throw new Error(JSON.stringify(result.findings))
  expect(result.findings).toEqual([])
  return result.config
}

describe('tenants', () => {
  test('keep digests, and have defaults that limit nothing', async () => {
    const { tenants } = await good('api_keys: [{name: search, key: s-1}]\n')
    expect(tenants).toEqual([
      {
        name: 'search',
        keyDigests: [digestOfKey('s-1')],
        rateLimitRps: null,
        maxConcurrent: null,
        tokensPerMinute: null,
        allowedModels: ['*'],
        isEnabled: true,
        weight: 1,
        metadata: {},
      },
    ])
  })

  test('entries of one name are keys of one tenant', async () => {
    const entries = `
  - {name: search, key: s-1, rate_limit_rps: 5, allowed_models: [a, "b*"]}
  - {name: other, key: o-1}
  - {name: search, key_sha256: ${digestOfKey('s-2').toUpperCase()}, rate_limit_rps: 5, allowed_models: [a, "b*"]}
`
    const { tenants } = await good(`api_keys:${entries}`)
    expect(tenants.map(({ name, keyDigests }) => [name, keyDigests])).toEqual([
      ['search', [digestOfKey('s-1'), digestOfKey('s-2')]],
      ['other', [digestOfKey('o-1')]],
    ])
  })

  test.each(['constructor', '__proto__', 'toString'])('may not be, or may harmlessly be, called %s', async (name) => {
    const result = await load(`api_keys: [{name: ${name}, key: k}]\n`)
    if (result.ok) expect(result.config.tenants[0]?.name).toBe(name)
    else expect(result.findings).toMatchObject([{ path: 'api_keys[0].name' }])
  })
})

test('validation services and the limit on requests in seconds become milliseconds', async () => {
  const { keyValidation, overload } = await good(`
api_key_validation_urls: ["http://keys:9000/check", "https://keys.example.com/check"]
api_key_validation: {timeout_ms: 500, ttl_secs: 20, refused_ttl_secs: 2, on_outage: stale, stale_secs: 60}
max_concurrent_requests: 100
queue_size: 50
queue_timeout_secs: 1.5
`)
  expect(keyValidation).toEqual({
    urls: ['http://keys:9000/check', 'https://keys.example.com/check'],
    timeoutMs: 500,
    acceptedTtlMs: 20_000,
    refusedTtlMs: 2_000,
    onOutage: 'stale',
    staleMs: 60_000,
  })
  expect(overload).toEqual({ maxConcurrent: 100, queueSize: 50, queueTimeoutMs: 1_500 })
  const defaults = await good('api_key_validation_urls: ["http://keys:9000/"]\n')
  expect(defaults.keyValidation).toMatchObject({ timeoutMs: 1_000, acceptedTtlMs: 5_000, onOutage: 'refuse' })
  expect(defaults.overload).toBeNull()
})

describe('errors', () => {
  test.each([
    [
      'api_keys: [{name: a, key: k}, {name: b, key: k}]',
      'api_keys[1].key',
      'is the same key as api_keys[0].key; whose',
    ],
    [
      'inbound_api_key: k\napi_keys: [{name: a, key: k}]',
      'api_keys[0].key',
      'is the same key as inbound_api_key; whose',
    ],
    [
      `api_keys: [{name: a, key: k}, {name: b, key_sha256: "${digestOfKey('k')}"}]`,
      'api_keys[1].key_sha256',
      'is the same key as api_keys[0].key',
    ],
    ['admin_api_key: k\napi_keys: [{name: a, key: k}]', 'admin_api_key', 'is a key of callers as well'],
    ['api_keys: [{name: a, key: undefined}]', 'api_keys[0].key', 'is what programs send that have no key'],
    ['inbound_api_key: "null"', 'inbound_api_key', 'is what programs send that have no key'],
    [`api_keys: [{name: a, key_sha256: "${digestOfKey('')}"}]`, 'api_keys[0].key_sha256', 'is the SHA-256 of no key'],
    [`api_keys: [{name: a, key_sha256: "${digestOfKey('\n')}"}]`, 'api_keys[0].key_sha256', 'is the SHA-256 of no key'],
    [`api_keys: [{name: a, key: "${'k'.repeat(8_193)}"}]`, 'api_keys[0].key', 'is longer than a header can carry'],
    ['api_keys: [{name: a, key: ""}]', 'api_keys[0].key', 'is empty'],
    ['api_keys: [{name: a, key: "s p a c e"}]', 'api_keys[0].key', 'has a space'],
    ['api_keys: [{name: a}]', 'api_keys[0]', 'has neither key nor key_sha256'],
    [`api_keys: [{name: a, key: k, key_sha256: "${digestOfKey('l')}"}]`, 'api_keys[0]', 'has key and key_sha256'],
    ['api_keys: [{name: a, key_sha256: abc}]', 'api_keys[0].key_sha256', 'must be the SHA-256'],
    ['api_keys: [{name: "a b", key: k}]', 'api_keys[0].name', 'must be 1 to 64 letters'],
    ['api_keys: [{name: a, key: k, allowed_models: []}]', 'api_keys[0].allowed_models', 'lists no model'],
    [
      'api_keys: [{name: a, key: k, allowed_models: ["*llama"]}]',
      'api_keys[0].allowed_models[0]',
      'has a * before its end',
    ],
    [
      'api_keys: [{name: a, key: k, allowed_models: ["a*b*"]}]',
      'api_keys[0].allowed_models[0]',
      'has a * before its end',
    ],
    [
      'api_keys: [{name: a, key: k, rate_limit_rps: 5}, {name: b, key: m}, {name: a, key: l, rate_limit_rps: 6}]',
      'api_keys[2].rate_limit_rps',
      'differs from api_keys[0], a key of the same tenant "a"',
    ],
    [
      'api_keys: [{name: a, key: k, enabled: false}, {name: a, key: l}]',
      'api_keys[1].enabled',
      'differs from api_keys[0], a key of the same tenant "a"',
    ],
    ['api_key_validation_urls: ["ftp://keys/"]', 'api_key_validation_urls[0]', 'http'],
    ['max_concurrent_requests: 0', 'max_concurrent_requests', 'whole number'],
    ['queue_timeout_secs: 0', 'queue_timeout_secs', 'above zero'],
  ])('%s', async (text, path, message) => {
    const { ok, findings } = await load(`${text}\n`)
    expect(ok).toBe(false)
    expect(findings).toMatchObject([{ severity: 'error', path, message: expect.stringContaining(message) }])
  })

  test('hold no key', async () => {
    const key = 'canary-key-0123456789'
    const { findings } = await load(
      `inbound_api_key: ${key}\napi_keys: [{name: a, key: ${key}}, {name: a, key: ${key}}]\n`,
    )
    expect(findings).toHaveLength(2)
    expect(JSON.stringify(findings)).not.toContain('canary')
    expect(JSON.stringify(findings)).not.toContain(digestOfKey(key))
  })
})

describe('warnings', () => {
  test.each([
    [
      'allow_anonymous: true\ninbound_api_key: k',
      'allow_anonymous',
      'inbound_api_key is set, so callers need that key',
    ],
    ['allow_anonymous: true\napi_keys: [{name: a, key: k}]', 'allow_anonymous', 'api_keys is set'],
    ['allow_anonymous: true\napi_key_validation_urls: ["http://keys/"]', 'allow_anonymous', 'validation_urls is set'],
    ['api_keys: [{name: a, key: k}, {name: a, key: k}]', 'api_keys[1].key', 'it counts once'],
    ['api_keys: [{name: a, key: k, weight: 2}]', 'api_keys[0].weight', 'has no effect without max_concurrent_requests'],
    [
      'api_keys: [{name: a, key: k}, {name: b, key: l}]\nmax_concurrent_requests: 4\nqueue_size: 0',
      'queue_size',
      'do not share a full router',
    ],
    ['api_key_validation_urls: ["http://keys/", "http://keys/"]', 'api_key_validation_urls[1]', 'it is asked once'],
    [
      'api_key_validation_urls: ["http://keys/"]\napi_key_validation: {on_outage: stale, stale_secs: 5}',
      'api_key_validation.stale_secs',
      'is no longer than ttl_secs',
    ],
    ['api_keys: [{name: a, key: k, allowed_models: [llama-70b]}]', 'api_keys[0].allowed_models[0]', 'covers nothing'],
    ['api_keys: [{name: a, key: k, allowed_models: ["lama*"]}]', 'api_keys[0].allowed_models[0]', 'covers nothing'],
  ])('%s', async (text, path, message) => {
    const { ok, findings } = await load(`${text}\n`, LISTED)
    expect(ok).toBe(true)
    expect(findings).toMatchObject([{ severity: 'warning', path, message: expect.stringContaining(message) }])
  })

  test.each([
    'api_keys: [{name: a, key: k, allowed_models: ["llama*", qwen, "*"]}]',
    'api_keys: [{name: a, key: k, allowed_models: [alias]}]\nmodel_rules: [{match: alias, rewrite: qwen}]',
    'api_keys: [{name: a, key: k, allowed_models: [anything]}]\nmodel_rules: [{match: "any*", rewrite: qwen}]',
    'api_keys: [{name: a, key: k, weight: 2}]\nmax_concurrent_requests: 10',
    'api_keys: [{name: a, key: k, allowed_models: [auto]}]\ndecisions: [{name: d, modelRefs: [{model: qwen}]}]',
  ])('none for %s', async (text) => {
    expect((await load(`${text}\n`, LISTED)).findings).toEqual([])
  })
})
