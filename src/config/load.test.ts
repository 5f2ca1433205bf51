// The loader from the outside: what a text becomes, and what is said about a bad one.

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { definePolicy, type PolicyDefinition } from '../routing/policy.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig, type LoadOptions } from './load.ts'
import { secretString } from './schema-walk.ts'

const keyed = definePolicy({
  name: 'keyed',
  options: z.strictObject({ token: secretString(), size: z.number().min(1).default(1) }),
  create: () => ({ name: 'keyed', needs: {}, score: ({ candidates }) => candidates.map(() => ({ score: 0 })) }),
})
const policies = new Map<string, PolicyDefinition>([...BUILT_IN_POLICIES, ['keyed', keyed]])

const ONE = 'workers: [{url: "http://a:8000"}]\n'

interface Given extends Partial<LoadOptions> {
  readonly variables?: Readonly<Record<string, string>>
}

function load(text: string, { variables = {}, ...options }: Given = {}) {
  return loadConfig(text, { env: (name) => variables[name], policies, ...options })
}

async function good(text: string, given: Given = {}) {
  const result = await load(text, given)
  if (!result.ok) throw new Error(JSON.stringify(result.findings, null, 1))
  return result
}

async function findings(text: string, given: Given = {}) {
  const { findings: all } = await load(text, given)
  return all.map(({ severity, path, line, column, message }) => `${line}:${column} ${severity} ${path}: ${message}`)
}

async function onlyFinding(text: string, given: Given = {}) {
  const all = await findings(text, given)
  expect(all).toHaveLength(1)
  return all[0] ?? ''
}

describe('a good file', () => {
  test('gets every default', async () => {
    const { config, findings: none } = await good(ONE)
    expect(none).toEqual([])
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 3001,
      policy: { name: 'round_robin' },
      defaultModel: null,
      inboundApiKey: null,
      allowAnonymous: false,
      exposeRoutingHeaders: true,
      maxPayloadBytes: null,
      corsAllowedOrigins: [],
      forwardHeaders: [],
      passthroughPaths: [],
      timeouts: { connectMs: 5_000, firstByteMs: 600_000, idleMs: 60_000, totalMs: 1_800_000 },
      modelRefreshMs: 10_000,
      responseTtlMs: 86_400_000,
      logLevel: 'info',
      shutdownGraceMs: 30_000,
      fleet: { replicas: 4, locationHint: null },
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
fleet: {replicas: 8, location_hint: weur}
policy: {type: round_robin, strict: true}
`)
    expect(config).toMatchObject({
      corsAllowedOrigins: ['*'],
      forwardHeaders: ['x-team'],
      passthroughPaths: ['/metrics', '/v1/load_lora_adapter'],
      fleet: { replicas: 8, locationHint: 'weur' },
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

  test('an empty default means no outbound key, but never no inbound key', async () => {
    expect((await good(`${ONE}api_key: \${KEY:-}\n`)).config.workers[0]?.apiKey).toBeNull()
    expect(await onlyFinding(`${ONE}inbound_api_key: \${KEY:-}\n`)).toMatch(/^2:18 error inbound_api_key: is empty/)
    expect(await onlyFinding(`${ONE}inbound_api_key:\n`)).toMatch(/^2:1\d error inbound_api_key: must be text/)
  })

  test('name the missing variable, once', async () => {
    expect(await onlyFinding('workers:\n  - url: ${VLLM_URL}\n')).toBe(
      '2:10 error workers[0].url: the environment variable VLLM_URL is not set; set it, or give a default: ${VLLM_URL:-default}',
    )
  })

  test('in keys that are set aside are not asked for', async () => {
    expect(await onlyFinding(`${ONE}decision_log: {export_path: "\${DIR}"}\n`)).toMatch(/^2:1 warning decision_log/)
  })
})

describe('a bad file', () => {
  test('gets all its errors at once, in the order of the text', async () => {
    const all = await findings(`workers:
  - url: grpc://a
    wieght: 2
  - id: x
prot: 3000
port: 70000
policy: {type: consistent_hash, load_factor: 0.5, laod_factor: 2}
timeouts: {first_byte: 0, total: 1s}
request_timeout_secs: 5
log_level: \${LEVEL}
`)
    expect(all.map((text) => text.slice(0, text.indexOf(':', 6)))).toEqual([
      '2:10 error workers[0].url',
      '3:5 error workers[0].wieght',
      '4:5 error workers[1].url',
      '5:1 error prot',
      '6:7 error port',
      '7:46 error policy.load_factor',
      '7:51 error policy.laod_factor',
      '8:24 error timeouts.first_byte',
      '9:23 error request_timeout_secs',
      '10:12 error log_level',
    ])
  })

  test.each([
    ['wokers: 1', /unknown key "wokers"; did you mean workers\?/],
    ['exposeRoutingHeaders: true', /did you mean expose_routing_headers\?/],
    ['circut_breaker: {}', /did you mean circuit_breaker\?/],
    ['first_byte: 3s', /it belongs under timeouts/],
    ['__proto__: 3', /unknown key "__proto__"/],
    ['constructor: 3', /unknown key "constructor"/],
    ['"<<": {port: 1}', /merge keys are not supported/],
    ['port: "3001"', /whole number from 1 to 65535, got "3001"/],
    ['port: 0', /whole number from 1 to 65535, got 0/],
    ['port:', /whole number from 1 to 65535, got nothing/],
    ['log_level: inof', /one of debug, info, warn, error, got "inof"; did you mean info\?/],
    ['host: "http://0.0.0.0"', /without http:\/\//],
    ['allow_anonymous: yes', /true or false, without quotes, got "yes"/],
    ['timeouts: {idle: -1s}', /write off to switch this timeout off/],
    ['timeouts: {idle: 25d}', /500ms, 30s, 5m or 1h, or off, got "25d"/],
    ['timeouts: {idle: 600h}', /at most 596h/],
    ['timeouts: {idle: .nan}', /must be a number of seconds/],
    ['timeouts: {conect: 5s}', /did you mean connect\?/],
    ['max_payload_size: 32XB', /512KiB, 32MiB or 10MB, got "32XB"/],
    ['max_payload_size: 0', /above zero/],
    ['model_refresh_secs: 0', /above zero/],
    ['fleet: {replicas: 65}', /from 1 to 64/],
    ['fleet: {location_hint: eu}', /wnam, enam, sam, weur/],
    ['cors_allowed_origins: ["https://x.com/"]', /no slash at the end/],
    ['forward_headers: [Cookie]', /caller's credentials/],
    ['forward_headers: [x-vllm-anything]', /reserved/],
    ['forward_headers: [Upgrade]', /RFC 9110/],
    ['forward_headers: [x-data-parallel-rank]', /set by the router/],
    ['passthrough_paths: [metrics]', /starting with \//],
    ['passthrough_paths: ["/a?b"]', /without a query/],
    ['passthrough_paths: [/a/../b]', /dot segments/],
    ['passthrough_paths: [/a//b]', /dot segments/],
    ['passthrough_paths: ["/%2e%2e/b"]', /percent-encoding/],
    ['passthrough_paths: [/v1/chat/completions]', /answers \/v1\/chat\/completions itself/],
    ['passthrough_paths: [/admin/drain]', /itself/],
    ['worker_api_keys: {"http://nope": k}', /names no worker; workers: http:\/\/a:8000/],
    ['mode: {type: openai, worker_urls: []}', /pool of one/],
    ['mode: {type: prefill_decode, prefill_urls: []}', /prefill\/decode proxy/],
    ['mode: {type: pd_disaggregation}', /prefill\/decode proxy/],
    ['mode: {type: regulr}', /must be regular/],
    ['mode: openai', /pool of one/],
    ['connection_mode: {type: grpc}', /not gRPC/],
    ['enable_igw: true', /only false/],
    ['api_keys: []', /not built in this version/],
    ['admin_api_key: x', /not built in this version/],
    ['model_rules: []', /not built in this version/],
    ['policy: roundrobin', /did you mean round_robin\?/],
    ['policy: {type: poweroftwo}', /did you mean power_of_two\?/],
    ['policy: {type: cache_aware}', /not built in this version; use consistent_hash/],
    ['policy: {strict: true}', /must name a policy/],
    ['policy: 7', /must name a policy/],
    ['policy: {type: round_robin, strict: 1}', /must be true or false, got 1/],
    ['policy: {type: consistent_hash, load_factor: fast}', /must be off or a number, got "fast"/],
    ['policy: {type: random, seed: 1}', /no key is allowed here/],
    ['port: 1\nport: 2', /twice/],
    ['api_key: "a b"', /has a space/],
  ])('says what is wrong with %s', async (line, message) => {
    const all = await findings(`${ONE}${line}\n`)
    const errors = all.filter((text) => text.includes(' error '))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(/^[23]:\d+ error \S/)
    expect(errors[0]).toMatch(message)
  })

  test.each([
    ['', /is empty; the least it takes/],
    ['- a', /is no map/],
    ['port: 3', /there is no worker/],
    ['workers: []', /list at least one URL/],
    ['mode: {type: regular, worker_urls: []}', /list at least one URL/],
    ['workers: {}', /must be a list/],
    ['workers: ["http://a"]', /must be a map such as/],
    ['workers: [{id: a, url: "http://a"}, {id: a, url: "http://b"}]', /already names workers\[0\]/],
    ['workers: [{url: "http://a"}, {url: "http://a/"}]', /is the URL of workers\[0\] as well/],
    ['workers: [{id: a@1, url: "http://a"}]', /no @/],
    ['workers: [{url: "http://a", models: []}]', /lists no model/],
    ['workers: [{url: "http://a", weight: 0}]', /above 0/],
    ['workers: [{url: "http://a", labels: {zone: 1}}]', /put quotes around numbers, got 1/],
  ])('says what is wrong with %j', async (text, message) => {
    expect(await onlyFinding(text)).toMatch(message)
  })

  test('gives each worker of a shared URL its place when both are named', async () => {
    const { config } = await good('workers: [{id: a, url: "http://x"}, {id: b, url: "http://x"}]')
    expect(config.workers.map(({ id }) => id)).toEqual(['a', 'b'])
  })
})

describe('warnings and notes', () => {
  test.each([
    ['log_dir: /var/log', /no effect on an edge router/],
    ['connection_mode: {type: http}', /no effect/],
    ['enable_igw: false', /no effect/],
    ['retry: {max_retries: 3}', /has no effect in this version/],
    ['policy: power_of_two', /1 worker to choose from/],
    ['policy: {type: consistent_hash, virtual_nodes: 160}', /`virtual_nodes` has no effect/],
    ['timeouts: {first_byte: 10s, total: 5s}', /longer than timeouts.total/],
    ['inbound_api_key: k\nallow_anonymous: true', /callers need that key/],
  ])('a file with %s loads with a warning', async (line, message) => {
    const { findings: all } = await good(`${ONE}${line}\n`)
    expect(all).toHaveLength(1)
    expect(all[0]).toMatchObject({ severity: 'warning', line: expect.any(Number) })
    expect(all[0]?.message).toMatch(message)
  })

  test('a default_model no worker lists is worth a warning only when all models are configured', async () => {
    const known = 'workers: [{url: "http://a", models: [m]}, {url: "http://b", models: [n]}]\ndefault_model: o\n'
    expect((await good(known)).findings[0]?.message).toMatch(/no worker lists o/)
    const learned = 'workers: [{url: "http://a", models: [m]}, {url: "http://b"}]\ndefault_model: o\n'
    expect((await good(learned)).findings).toEqual([])
  })

  test('a key that is never used is a warning', async () => {
    const text = 'workers: [{id: a, url: "http://a", api_key: k}]\nworker_api_keys: {a: other}\n'
    expect((await good(text)).findings[0]?.message).toMatch(/has an api_key of its own/)
  })

  test('a runtime without a connect phase says what connect means there', async () => {
    const text = `${ONE}timeouts: {connect: 3s}\n`
    expect((await good(text, { showsConnectPhase: false })).findings[0]).toMatchObject({ severity: 'note', line: 2 })
    expect((await good(text, { showsConnectPhase: true })).findings).toEqual([])
  })

  test('a binding the runtime does not have is an error where bindings are known', async () => {
    const text = 'workers: [{url: "http://a", binding: GPU}]'
    expect((await good(text, { bindings: ['GPU'] })).findings).toEqual([])
    expect(await onlyFinding(text, { bindings: [] })).toMatch(/no binding is called "GPU"; this runtime has none/)
  })
})

describe('secrets', () => {
  test.each([
    'api_key: "s3cret with space"',
    'api_key: [s3cret]',
    'inbound_api_key: {key: s3cret}',
    'api_kye: s3cret',
    'worker_api_keys: s3cret',
    'worker_api_keys: {"http://u:s3cret@nope": "k k"}',
    'workers: s3cret',
    'workers: [s3cret]',
    'workers: [{url: "http://b", api_key: "s3cret s3cret"}]',
    'workers: [{url: "http://u:s3cret@b"}]',
    'workers: [{url: "https://s3cret@b/?x"}]',
    'mode: {type: regular, worker_urls: ["http://u:s3cret@b"]}',
    'policy: {type: keyed, token: "s3cret s3cret"}',
    'policy: {type: keyed, token: [s3cret]}',
    'api_key: "s3cret',
    'api_key: [s3cret, "',
    'api_key: !s3cret x',
    'inbound_api_key: "${KEY}"',
  ])('%s is refused without a word of it', async (text) => {
    const result = await load(`${text}\n`, { variables: { KEY: 's3cret s3cret' } })
    expect(result.ok).toBe(false)
    expect(JSON.stringify(result.findings)).not.toContain('s3cret')
  })
})

describe('the hash', () => {
  const hashOf = async (text: string, given: Given = {}) => (await good(text, given)).config.hash

  test('is 16 hexadecimal digits, and the same for the same meaning', async () => {
    const hash = await hashOf(ONE)
    expect(hash).toMatch(/^[0-9a-f]{16}$/)
    expect(await hashOf('# a comment\nport: 3001\nmode: {type: regular, worker_urls: ["http://A:8000/"]}')).toBe(hash)
    expect(await hashOf(`${ONE}policy: {type: round_robin, strict: false}`)).toBe(hash)
  })

  test('changes with a setting, an option and a key', async () => {
    const texts = [
      '',
      'port: 1',
      'policy: {type: round_robin, strict: true}',
      'api_key: k1',
      'api_key: k2',
      'policy: {type: keyed, token: a}',
      'policy: {type: keyed, token: b}',
    ]
    const hashes = await Promise.all(texts.map((text) => hashOf(`${ONE}${text}\n`)))
    expect(new Set(hashes).size).toBe(texts.length)
  })
})
