// What `init` writes loads without a remark, and nothing is lost that was there.

import { describe, expect, test } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { init } from './init.ts'
import { TEMPLATES } from './init-templates.ts'
import { runValidate } from './validate.ts'

async function run(written: Map<string, string>, ...args: string[]) {
  let out = ''
  let errors = ''
  const files = {
    read: async (path: string) => written.get(path) ?? null,
    replace: async (path: string, text: string) => {
      if (path.startsWith('/root/')) throw new Error('permission denied')
      written.set(path, text)
    },
    remove: async () => {},
  }
  const code = await init(
    { files, writeOut: (text) => void (out += text), writeError: (text) => void (errors += text) },
    args,
  )
  return { code, out, errors }
}

test('writes config.yaml', async () => {
  const written = new Map<string, string>()
  const { code, out } = await run(written)
  expect([code, written.get('config.yaml')]).toEqual([0, TEMPLATES['minimal']])
  expect(out).toContain('config.yaml')
})

test('what is there stays, unless it is told to go', async () => {
  const written = new Map([['config.yaml', 'mine']])
  const refused = await run(written)
  expect([refused.code, written.get('config.yaml')]).toEqual([1, 'mine'])
  expect(refused.errors).toContain('--force')
  expect((await run(written, '--force')).code).toBe(0)
  expect(written.get('config.yaml')).toBe(TEMPLATES['minimal'])
})

test.each([
  [['--template', 'decision'], 'did you mean decisions?'],
  [['--templat'], 'unknown argument'],
  [['--config', '/root/config.yaml'], 'permission denied'],
])('%j is refused', async (args, words) => {
  const { code, errors } = await run(new Map(), ...args)
  expect(code).toBe(2)
  expect(errors).toContain(words)
})

test('help', async () => {
  expect((await run(new Map(), '--help')).out).toContain('--template')
})

describe.each(Object.entries(TEMPLATES))('%s', (name, text) => {
  test('loads without a word of complaint', async () => {
    const result = await loadConfig(text, { env: () => undefined, policies: BUILT_IN_POLICIES })
    expect(result.findings).toEqual([])
  })

  test('is what --template writes', async () => {
    const written = new Map<string, string>()
    await run(written, '--template', name, '--config', 'mine.yaml')
    expect(written.get('mine.yaml')).toBe(text)
  })
})

/** What `validate` prints of a file. */
async function validated(text: string): Promise<string> {
  let output = ''
  await runValidate({
    args: [],
    readFile: async () => text,
    loadPolicies: async () => BUILT_IN_POLICIES,
    askWorkers: async () => new Map(),
    env: () => undefined,
    write: (text) => void (output += text),
    writeError: () => {},
  })
  return output
}

test('validate counts decisions, plugins, models and signals', async () => {
  expect(await validated(TEMPLATES['decisions'] ?? '')).toContain(`Configuration is valid
Summary:
  Decisions: 3
  Plugins: 2 total (2 decisions)
    Types: router_replay: 1, system_prompt: 1
  Models: 2
  Signals: 3
`)
})

test('the summary that the article prints', async () => {
  const prompt = '{ type: system_prompt, configuration: { system_prompt: Be brief } }'
  const cache = '{ type: semantic-cache, configuration: { similarity_threshold: 0.9 } }'
  const words = ['one', 'two', 'three', 'four'].map((name) => `{ name: ${name}, keywords: [${name}] }`)
  const rule = (name: string) => `rules: { type: keyword, name: ${name} }`
  const output = await validated(`workers: [{ url: "http://a", models: [large, small] }]
signals: { keywords: [${words.join(', ')}] }
decisions:
  - { name: a, ${rule('one')}, modelRefs: [{ model: large }], plugins: [${prompt}, ${cache}] }
  - { name: b, ${rule('two')}, modelRefs: [{ model: small }], plugins: [${cache}, ${prompt}] }
  - { name: c, modelRefs: [{ model: small }], plugins: [{ type: router_replay }] }
`)
  expect(output).toContain(`Configuration is valid
Summary:
  Decisions: 3
  Plugins: 5 total (3 decisions)
    Types: router_replay: 1, semantic-cache: 2, system_prompt: 2
  Models: 2
  Signals: 4
`)
})
