// What is said about a bad file: every mistake at once, with its place, and what to write instead.
// One line per rule of the schema and of the checks between its parts.

import { describe, expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig, type LoadOptions } from './load.ts'

const ONE = 'workers: [{url: "http://a:8000"}]\n'

interface Given extends Partial<LoadOptions> {
  readonly variables?: Readonly<Record<string, string>>
}

function load(text: string, { variables = {}, ...options }: Given = {}) {
  return loadConfig(text, { env: (name) => variables[name], policies: BUILT_IN_POLICIES, ...options })
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

describe('placeholders', () => {
  test('an empty default means no outbound key, but never no inbound key', async () => {
    expect(await findings(`${ONE}api_key: \${KEY:-}\n`)).toEqual([])
    expect(await onlyFinding(`${ONE}inbound_api_key: \${KEY:-}\n`)).toMatch(/^2:18 error inbound_api_key: is empty/)
    expect(await onlyFinding(`${ONE}inbound_api_key:\n`)).toMatch(/^2:1\d error inbound_api_key: must be text/)
  })

  test('name the missing variable, once', async () => {
    expect(await onlyFinding('workers:\n  - url: ${VLLM_URL}\n')).toBe(
      '2:10 error workers[0].url: the environment variable VLLM_URL is not set; set it, or give a default: ${VLLM_URL:-default}',
    )
  })

  test('in keys that are set aside are not asked for', async () => {
    expect(await onlyFinding(`${ONE}log_dir: "\${DIR}"\n`)).toMatch(/^2:1 warning log_dir/)
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
    ['api_keys: [{name: a}]', /has neither key nor key_sha256/],
    ['circuit_breaker: {error_rate: 0}', /above 0 and up to 1/],
    ['policy: roundrobin', /did you mean round_robin\?/],
    ['policy: {type: poweroftwo}', /did you mean power_of_two\?/],
    ['policy: {type: lmcache_aware, fallback_policy: fastest}', /knows no fallback_policy "fastest"; policies: /],
    ['policy: {type: lmcache_aware, fallback_policy: lmcache_aware}', /can not fall back on itself/],
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
})
