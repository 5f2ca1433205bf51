// A configuration as it is shown: no secret in it, and otherwise one that loads to the same configuration again.

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { definePolicy, type PolicyDefinition } from '../routing/policy.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'
import { secretString } from './schema-walk.ts'

const keyed = definePolicy({
  name: 'keyed',
  options: z.strictObject({
    token: secretString(),
    size: z.number().default(1),
    either: z.union([z.strictObject({ key: secretString() }), z.strictObject({ name: z.string() })]).optional(),
    pair: z.tuple([z.string(), secretString()]).optional(),
  }),
  create: () => ({ name: 'keyed', needs: {}, score: ({ candidates }) => candidates.map(() => ({ score: 0 })) }),
})
const policies = new Map<string, PolicyDefinition>([...BUILT_IN_POLICIES, ['keyed', keyed]])

async function load(text: string) {
  const result = await loadConfig(text, { env: () => undefined, policies })
  if (!result.ok) throw new Error(JSON.stringify(result.findings, null, 1))
  return result.config
}

const ONE = 'workers: [{url: "http://a:8000"}]\n'

describe('what is shown', () => {
  test.each([
    ONE,
    `mode: {type: regular, worker_urls: ["http://A:8000/"]}
timeouts: {connect: 1500ms, first_byte: 2m, idle: off, total: 1h}
max_payload_size: 32MiB
cors_allowed_origins: "*"
forward_headers: [X-Team]
policy: {type: round_robin, strict: true}
model_rules: [{match: "a*", weights: {b: 1, c: 2}, when: {header: {X-Tier: gold}}}, {match: x, rewrite: y}]
hedge: {after_ms: 100}
default_model: "$\${literal}"
retry: {statuses_once: [500], budget: {ratio: 0.5}}
health_check: {check_interval_secs: 0.5}
`,
  ])('loads again, to the same hash', async (text) => {
    const { hash, document } = await load(text)
    expect((await load(JSON.stringify(document.shown))).hash).toBe(hash)
  })

  test('has every default', async () => {
    const { shown } = (await load(ONE)).document
    expect(shown).toMatchObject({ port: 3001, policy: { type: 'round_robin' }, timeouts: { connect: '5000ms' } })
  })

  test('hides secrets of a policy, in unions and tuples too', async () => {
    const options = 'token: s3cret, either: {key: s3cret}, pair: [a, s3cret]'
    const { document } = await load(`${ONE}policy: {type: keyed, ${options}}\n`)
    expect(JSON.stringify(document)).not.toContain('s3cret')
    expect(document.shown['policy']).toMatchObject({ type: 'keyed', token: '***', size: 1, either: { key: '***' } })
  })

  test('can not be sent back with its secrets hidden', async () => {
    const { document } = await load(`${ONE}api_key: s3cret\n`)
    const again = await loadConfig(JSON.stringify(document.shown), { env: () => undefined, policies })
    expect(again.findings).toMatchObject([{ path: 'api_key', message: expect.stringContaining('is ***') }])
  })
})

describe('the digests of sections', () => {
  test('differ where the configurations do, in a key as in a setting', async () => {
    const before = (await load(`${ONE}api_key: k1\n`)).document.sections
    const after = (await load(`${ONE}api_key: k2\npolicy: {type: keyed, token: k}\nport: 1\n`)).document.sections
    const changed = Object.keys(after).filter((key) => before[key] !== after[key])
    expect(changed.sort()).toEqual(['api_key', 'policy', 'port'])
  })

  test('are the same for the same meaning', async () => {
    const spelled = await load(`# hello\ntimeouts: {connect: 5}\n${ONE}`)
    expect(spelled.document.sections).toEqual((await load(ONE)).document.sections)
  })
})
