import { describe, expect, test } from 'vitest'
import { policyRegistry } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'
import type { ReplayPlatform } from './router-replay-checks.ts'
import { pluginSchema, toPlugins } from './decision-plugin-schema.ts'
import { replayPluginShape, routerReplaySchema, toRouterReplay } from './router-replay-schema.ts'

const SERVER: ReplayPlatform = {
  missing: { durable_object: 'it is there on Workers alone', r2: 'it is there on Workers alone' },
  hasSockets: true,
  hyperdrives: null,
}
const WORKER: ReplayPlatform = { missing: {}, hasSockets: false, hyperdrives: ['REPLAYS'] }

async function load(section: string, replayPlatform: ReplayPlatform = SERVER) {
  const result = await loadConfig(`workers: [{url: "http://a:1"}]\n${section}`, {
    env: () => undefined,
    policies: policyRegistry(undefined),
    replayPlatform,
  })
  const findings = result.findings.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
  return { findings, replay: result.ok ? result.config.routerReplay : null, result }
}

const section = (text: string) => `router_replay: {enabled: true, ${text}}\n`

test('is switched off, and would capture nothing', async () => {
  const { findings, replay } = await load('')
  expect(findings).toEqual([])
  expect(replay).toEqual({
    isEnabled: false,
    maxRecords: 200,
    capturesRequestBody: false,
    capturesResponseBody: false,
    maxBodyBytes: 4_096,
    ttlMs: null,
    isAsync: false,
    store: { backend: 'memory', redis: null, postgres: null, r2: { prefix: 'router_replay/' } },
  })
})

test('as a plugin it is switched on, says the same otherwise, and leaves the store to the router', () => {
  const { store: _store, ...global } = toRouterReplay(routerReplaySchema.parse({}))
  const plugin = pluginSchema.parse({ type: 'router_replay' })
  expect(toPlugins([plugin]).routerReplay).toEqual({ ...global, isEnabled: true })
  expect(Object.keys(routerReplaySchema.shape)).toEqual(expect.arrayContaining(Object.keys(replayPluginShape)))
})

test('takes every setting', async () => {
  const { findings, replay } = await load(
    section(
      'max_records: 50, capture_request_body: true, capture_response_body: true, max_body_bytes: 16KiB, ' +
        'store_backend: redis, ttl_seconds: 3600, async_writes: true, ' +
        'redis: {url: "rediss://u:p@10.0.0.9:6380/1", key_prefix: "r:", tls_skip_verify: true}',
    ),
  )
  expect(findings).toEqual([])
  expect(replay).toMatchObject({
    isEnabled: true,
    maxRecords: 50,
    maxBodyBytes: 16_384,
    ttlMs: 3_600_000,
    isAsync: true,
    store: {
      backend: 'redis',
      redis: {
        url: 'rediss://u:p@10.0.0.9:6380/1',
        restUrl: null,
        token: null,
        keyPrefix: 'r:',
        skipsVerification: true,
      },
    },
  })
})

describe('is refused:', () => {
  test.each([
    ['max_records: 0', 'router_replay.max_records: must be a whole number from 1 to 100000'],
    ['max_records: -3', 'router_replay.max_records: must be a whole number'],
    ['max_body_bytes: 0', 'router_replay.max_body_bytes: must be a whole number of bytes above zero'],
    ['max_body_bytes: 1MiB', 'router_replay.max_body_bytes: must be at most 512KiB'],
    ['ttl_seconds: 0', 'router_replay.ttl_seconds: must be a whole number from 1'],
    ['capture_request_body: "yes"', 'router_replay.capture_request_body: must be true or false'],
    ['capture_requestbody: true', 'router_replay.capture_requestbody'],
    ['store_backend: milvus', 'milvus is not built; use one of memory, durable_object, redis, postgres, r2'],
    ['store_backend: mongodb', 'must be one of memory, durable_object, redis, postgres, r2'],
    ['store_backend: redis', 'redis needs a section beside it: redis: {url'],
    ['store_backend: redis, redis: {}', 'needs a url, or a rest_url with its token'],
    ['store_backend: redis, redis: {url: "http://x"}', 'must be a URL such as redis://'],
    ['store_backend: redis, redis: {rest_url: "https://x"}', 'needs a token beside it'],
    ['store_backend: redis, redis: {url: "redis://a", rest_url: "https://x", token: t}', 'which of the two is it?'],
    [
      'store_backend: redis, redis: {url: "redis://a", tls_skip_verify: true}',
      'needs a url that begins with rediss://',
    ],
    ['store_backend: postgres', 'postgres needs a section beside it'],
    ['store_backend: postgres, postgres: {}', 'needs a url, or on Workers a hyperdrive_binding'],
    ['store_backend: postgres, postgres: {url: "postgres://a", table: "a b"}', 'must be a plain SQL name'],
    ['store_backend: postgres, postgres: {hyperdrive_binding: X}', 'only Workers have any; write url'],
    ['store_backend: r2', "r2 can't be had here: it is there on Workers alone; use memory, redis, postgres"],
    ['store_backend: durable_object', 'use memory, redis, postgres'],
  ])('%s', async (text, expected) => {
    const { findings } = await load(section(text))
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatch(/^error /)
    expect(findings[0]).toContain(expected)
  })

  test.each([
    ['store_backend: redis, redis: {url: "redis://a"}', "can't be reached from a Worker"],
    ['store_backend: postgres, postgres: {hyperdrive_binding: X}', 'called "X"; there are REPLAYS'],
  ])('on a Worker %s', async (text, expected) => {
    const { findings } = await load(section(text), WORKER)
    expect(findings).toHaveLength(1)
    expect(findings[0]).toContain(expected)
  })
})

test('while it is switched off, nothing need be reachable', async () => {
  expect((await load('router_replay: {store_backend: r2}')).findings).toEqual([])
})

test('warns of connections that nobody uses', async () => {
  const { findings } = await load(section('store_backend: memory, redis: {url: "redis://a"}'))
  expect(findings).toEqual(['warning router_replay.redis: is not used: store_backend is memory'])
})

test('no message, document or hash shows how to connect', async () => {
  const wrong = await load(section('store_backend: redis, redis: {url: "http://u:s3cret@a"}'))
  expect(JSON.stringify(wrong.findings)).not.toContain('s3cret')
  const texts = ['s3cret', 'other'].map((secret) =>
    section(`store_backend: postgres, postgres: {url: "postgres://u:${secret}@a/b"}`),
  )
  const [one, other] = await Promise.all(texts.map(async (text) => (await load(text)).result))
  if (!one?.ok || !other?.ok) throw new Error('the configurations do not load')
  expect(JSON.stringify(one.config.document)).not.toContain('s3cret')
  expect(one.config.hash).not.toBe(other.config.hash)
})
