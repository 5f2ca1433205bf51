// No message shows a key, whatever is wrong with it; and the hash changes with keys without holding them.
// `keyed` stands for a policy of an operator's own that has a secret among its options.

import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { definePolicy, type PolicyDefinition } from '../routing/policy.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { loadConfig } from './load.ts'
import { secretString } from './schema-walk.ts'

const keyed = definePolicy({
  name: 'keyed',
  options: z.strictObject({ token: secretString(), size: z.number().min(1).default(1) }),
  create: () => ({ name: 'keyed', needs: {}, score: ({ candidates }) => candidates.map(() => ({ score: 0 })) }),
})
const policies = new Map<string, PolicyDefinition>([...BUILT_IN_POLICIES, ['keyed', keyed]])

const ONE = 'workers: [{url: "http://a:8000"}]\n'

function load(text: string) {
  const variables: Readonly<Record<string, string>> = { KEY: 's3cret s3cret' }
  return loadConfig(text, { env: (name) => variables[name], policies })
}

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
    const result = await load(`${text}\n`)
    expect(result.ok).toBe(false)
    expect(JSON.stringify(result.findings)).not.toContain('s3cret')
  })
})

describe('the hash', () => {
  const hashOf = async (text: string) => {
    const result = await load(text)
    return result.ok ? result.config.hash : 'refused'
  }

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
