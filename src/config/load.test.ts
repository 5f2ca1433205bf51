// What a good file becomes: defaults, merged workers, keys, units, placeholders.
// Bad files are in load-errors.test.ts, remarks on good ones in load-warnings.test.ts.

import { describe, expect, test } from 'vitest'
import { good } from '../../test/support/load-config.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

describe('a good file', () => {
  test('gets every default', async () => {
    const { config, findings: none } = await good(ONE)
    expect(none).toEqual([])
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 3001,
      policy: { name: 'round_robin' },
      defaultModel: null,
      inboundKeyDigest: null,
      allowAnonymous: false,
      exposeRoutingHeaders: true,
      maxPayloadBytes: null,
      corsAllowedOrigins: [],
      forwardHeaders: [],
      passthroughPaths: [],
      timeouts: { connectMs: 5_000, firstByteMs: 600_000, idleMs: 60_000, totalMs: 1_800_000 },
      requestBodyMs: 60_000,
      modelRefreshMs: 10_000,
      responseTtlMs: 86_400_000,
      log: { level: 'info', format: 'auto', sampleRatio: 1 },
      shutdownGraceMs: 30_000,
      fleet: { replicas: 4, shards: 16, tenantShards: 1, decisionGroups: 1, locationHint: null },
    })
    expect(config.workers).toEqual([
      {
        id: 'http://a:8000',
        isNamed: false,
        url: 'http://a:8000',
        models: null,
        weight: 1,
        labels: {},
        apiKey: null,
        binding: null,
        dataParallelSize: 1,
      },
    ])
  })

  test('merges mode.worker_urls and workers by normalised URL, the richer form first', async () => {
    const { config } = await good(`
mode: {type: regular, worker_urls: ["http://A:8000/", "http://b:80/x/"]}
workers: [{id: first, url: "http://a:8000", weight: 2}]
intra_node_data_parallel_size: 2
`)
    expect(config.workers.map(({ id, url, weight, dataParallelSize }) => [id, url, weight, dataParallelSize])).toEqual([
      ['first', 'http://a:8000', 2, 2],
      ['http://b/x', 'http://b/x', 1, 2],
    ])
  })

  test('gives each worker of a shared URL its place when both are named', async () => {
    const { config } = await good('workers: [{id: a, url: "http://x"}, {id: b, url: "http://x"}]')
    expect(config.workers.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test("sends the worker's own key, else worker_api_keys by URL or id, else api_key", async () => {
    const { config } = await good(`
workers:
  - {id: own, url: "http://a", api_key: k-own}
  - {id: by-id, url: "http://b"}
  - {url: "http://c"}
  - {url: "http://d"}
worker_api_keys: {by-id: k-id, "http://C:80/": k-url}
api_key: k-global
`)
    expect(config.workers.map(({ apiKey }) => apiKey)).toEqual(['k-own', 'k-id', 'k-url', 'k-global'])
  })

  test.each([
    ['connect: off', { connectMs: null }],
    ['connect: "off"', { connectMs: null }],
    ['first_byte: 500ms', { firstByteMs: 500 }],
    ['idle: 1.5', { idleMs: 1_500 }],
    ['total: 2h', { totalMs: 7_200_000 }],
    ['total: off', { totalMs: null }],
  ])('reads the timeout %s', async (line, expected) => {
    const { config } = await good(`${ONE}timeouts:\n  ${line}\n`)
    expect(config.timeouts).toMatchObject(expected)
  })

  test('takes request_timeout_secs as the total', async () => {
    expect((await good(`${ONE}request_timeout_secs: 90\n`)).config.timeouts.totalMs).toBe(90_000)
  })

  test.each([
    ['1048576', 1_048_576],
    ['32MiB', 33_554_432],
    ['10 MB', 10_000_000],
    ['1.5KiB', 1_536],
  ])('reads the size %s', async (size, bytes) => {
    expect((await good(`${ONE}max_payload_size: ${size}\n`)).config.maxPayloadBytes).toBe(bytes)
  })

  test('reads the rest of what operators write', async () => {
    const { config } = await good(`${ONE}
cors_allowed_origins: "*"
forward_headers: [X-Team, x-team]
passthrough_paths: [/metrics, /v1/load_lora_adapter]
fleet: {replicas: 8, shards: 256, tenant_shards: 6, decision_groups: 3, location_hint: weur}
policy: {type: round_robin, strict: true}
`)
    expect(config).toMatchObject({
      corsAllowedOrigins: ['*'],
      forwardHeaders: ['x-team'],
      passthroughPaths: ['/metrics', '/v1/load_lora_adapter'],
      fleet: { replicas: 8, shards: 256, tenantShards: 6, decisionGroups: 3, locationHint: 'weur' },
      policy: { name: 'round_robin', needs: { ticket: 'strict' } },
    })
  })
})

describe('placeholders', () => {
  test('become numbers and booleans where the schema wants them, and stay text elsewhere', async () => {
    const { config } = await good(
      `
workers: [{url: "http://\${HOST}:8000"}]
port: \${PORT:-3001}
api_key: \${KEY}
allow_anonymous: \${OPEN}
policy: {type: round_robin, strict: "\${STRICT}"}
timeouts: {idle: "\${IDLE}", connect: "\${CONNECT}"}
max_payload_size: \${SIZE}
`,
      {
        variables: {
          HOST: 'gpu',
          KEY: '12345',
          OPEN: 'true',
          STRICT: 'true',
          IDLE: '30',
          CONNECT: 'off',
          SIZE: '2048',
        },
      },
    )
    expect(config).toMatchObject({ port: 3001, allowAnonymous: true, maxPayloadBytes: 2048 })
    expect(config.workers[0]).toMatchObject({ url: 'http://gpu:8000', apiKey: '12345' })
    expect(config.policy.needs).toEqual({ ticket: 'strict' })
    expect(config.timeouts).toMatchObject({ idleMs: 30_000, connectMs: null })
  })

  test('with an empty default leave out a key', async () => {
    expect((await good(`${ONE}api_key: \${KEY:-}\n`)).config.workers[0]?.apiKey).toBeNull()
  })
})
