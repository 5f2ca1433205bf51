// Whatever the text, the loader answers; and whatever key is mistyped, it says where.
// Generated input, because the cases nobody thinks of are the ones that crash.

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'

// Hundreds of runs each, and CI machines are slow.
vi.setConfig({ testTimeout: 60_000 })

const load = (text: string) => loadConfig(text, { env: () => undefined, policies: BUILT_IN_POLICIES })

const VALID = `mode:
  type: regular
  worker_urls:
    - http://a:8000
workers:
  - id: b
    url: http://b:8000
    models:
      - m
    weight: 2
    labels:
      zone: eu
    api_key: k
    data_parallel_size: 2
policy:
  type: consistent_hash
  hash_headers: [x-session-id]
  load_factor: 1.25
host: 0.0.0.0
port: 3001
api_key: k
worker_api_keys:
  http://a:8000: k
inbound_api_key: k
allow_anonymous: false
default_model: m
pre_routing_hooks:
  - name: safety
    url: http://10.0.0.9:9000/check
    timeout_ms: 200
    on_error: block
    on_reject: block400
    transform: true
    headers: {x-team: search}
    api_key: k
    routes: [/v1/chat/completions]
    models: [m]
    send: body
    parallel: false
    expose_reason: true
model_rules:
  - match: gpt-4o
    rewrite: m
  - match: gold/*
    when:
      header: {x-tier: gold}
    fallback: [m, n]
    on_failure: true
  - match: canary
    weights: {m: 95, n: 5}
retry:
  max_retries: 3
  initial_backoff_ms: 50
  max_backoff_ms: 1000
  backoff_multiplier: 1.5
  jitter_factor: 0.2
  statuses: [429, 503]
  statuses_once: [502, 504]
  gate: off
  budget:
    ratio: 0.2
    window_secs: 10
    min_retries: 10
disable_retries: false
hedge:
  after_ms: 2000
  max_share: 0.05
expose_routing_headers: true
worker_display: hash
max_payload_size: 32MiB
cors_allowed_origins: ["*"]
forward_headers: [x-team]
passthrough_paths: [/load]
timeouts:
  connect: 5s
  first_byte: 10m
  idle: off
  total: 1800
model_refresh_secs: 10
responses:
  ttl_secs: 86400
log_level: info
shutdown_grace_secs: 30
fleet:
  replicas: 4
  location_hint: weur
`

async function expectFindings(text: string) {
  const result = await load(text)
  for (const { message, line } of result.findings) {
    expect(message).not.toBe('')
    expect(line === null || line >= 1).toBe(true)
  }
  if (!result.ok) expect(result.findings.some(({ severity }) => severity === 'error')).toBe(true)
}

test('the text all this starts from is good', async () => {
  expect(await load(VALID)).toMatchObject({ ok: true, findings: [] })
})

test('no text crashes the loader', async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), expectFindings), { numRuns: 300 })
  const yamlish = fc.string({ unit: fc.constantFrom(...'ab:-[]{}&*!|>\'"#%@`,? \n\t$<01.~'), maxLength: 60 })
  await fc.assert(fc.asyncProperty(yamlish, expectFindings), { numRuns: 1_000 })
})

test('no value in any place crashes the loader', async () => {
  const keys = [...VALID.matchAll(/^(\w+):/gm)].map(([, key]) => key ?? '')
  const file = fc.dictionary(fc.constantFrom(...keys, '__proto__', 'x'), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
  await fc.assert(
    fc.asyncProperty(file, (value) => expectFindings(JSON.stringify(value))),
    { numRuns: 500 },
  )
})

test('no edit of a good file crashes the loader', async () => {
  const edit = fc.record({
    at: fc.nat(VALID.length),
    remove: fc.nat(30),
    insert: fc.string({ unit: fc.constantFrom(...'a:-[]{}&*!"\' \n\t${}1'), maxLength: 6 }),
  })
  const edited = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
    return edits.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), VALID)
  })
  await fc.assert(fc.asyncProperty(edited, expectFindings), { numRuns: 500 })
})

test('each of 60 mistyped keys gives an error with its path and line', async () => {
  const lines = VALID.split('\n')
  // `zone` is a label and the URL a worker, so neither is a name the router could know to be mistyped.
  const keyLines = lines.flatMap((line, index) => {
    const [, key] = /^[ -]*([a-z_]+):/.exec(line) ?? []
    return key === undefined || key === 'zone' || key === 'http' ? [] : [{ key, index }]
  })
  const typo = fc.record({
    place: fc.constantFrom(...keyLines),
    kind: fc.constantFrom('swap', 'drop', 'double', 'replace'),
    position: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(typo, async ({ place: { key, index }, kind, position }) => {
      const wrong = mistype(key, kind, position)
      fc.pre(!KNOWN.has(wrong))
      const text = lines.map((line, at) => (at === index ? line.replace(`${key}:`, `${wrong}:`) : line)).join('\n')
      const { ok, findings } = await load(text)
      expect(ok).toBe(false)
      expect(findings).toContainEqual(
        expect.objectContaining({ severity: 'error', line: index + 1, path: expect.stringContaining(wrong) }),
      )
    }),
    { numRuns: 60 },
  )
})

const KNOWN: ReadonlySet<string> = new Set([...VALID.matchAll(/([a-z_]+):/g)].map(([, key]) => key ?? ''))

function mistype(key: string, kind: string, position: number): string {
  const at = position % (key.length - 1)
  const [before, first, second, after] = [key.slice(0, at), key[at] ?? '', key[at + 1] ?? '', key.slice(at + 2)]
  const middle = { swap: `${second}${first}`, drop: second, double: `${first}${first}${second}` }[kind]
  return `${before}${middle ?? `q${second}`}${after}`
}
