// The command from its arguments to its exit code.
// Files and environment are a literal; nothing is read from disk.

import { expect, test } from 'vitest'
import * as z from 'zod'
import { BUILT_IN_POLICIES, policyRegistry } from '../routing/policies/index.ts'
import { definePolicy } from '../routing/policy.ts'
import { runValidate } from './validate.ts'

const FILES: Readonly<Record<string, string>> = {
  'config.yaml': 'workers: [{id: a, url: "http://a", models: [m]}]\napi_key: s3cret\n',
  'bad.yaml': 'wokers: []\nport: 0\n',
  'mine.yaml': 'workers: [{url: "http://a"}]\npolicy: mine\n',
  'rules.yaml': `workers:
  - {id: up, url: "http://up"}
  - {id: down, url: "http://down"}
  - {id: listed, url: "http://listed", models: [n, gone]}
model_rules:
  - {match: a, rewrite: m}
  - {match: b, fallback: [n, x]}
  - {match: c, weights: {y: 1, lora: 2}}
default_model: z
`,
  'listed.yaml': `workers: [{id: up, url: "http://up", models: [m]}, {id: listed, url: "http://listed", models: [n]}]
model_rules:
  - {match: a, rewrite: larg}
  - {match: z, when: {header: {x-tier: free}}, fallback: [m, m, huge, huge]}
default_model: z
`,
  'urls.yaml': `mode: {type: regular, worker_urls: ["http://up", "http://down"]}
workers:
  - {id: gpu, url: "http://gpu", binding: GPU, models: [m]}
  - {id: twice, url: "http://listed", models: [n, n, gone, m]}
model_rules:
  - {match: b, fallback: [m, m, x, m]}
`,
  'warned.yaml': 'workers: [{url: "http://a"}]\nlog_dir: /x\n',
}

const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  a: ['m'],
  up: ['m', 'lora'],
  'http://up': ['m'],
  listed: ['n'],
  twice: ['n'],
}

const MINE = definePolicy({
  name: 'mine',
  options: z.strictObject({}),
  create: () => ({ name: 'mine', needs: {}, score: ({ candidates }) => candidates.map(() => ({ score: 1 })) }),
})

async function run(...args: string[]) {
  let output = ''
  let errors = ''
  const code = await runValidate({
    args,
    readFile: async (path) => FILES[path] ?? Promise.reject(new Error('no such file')),
    loadPolicies: async (modules) => {
      if (modules.includes('broken.ts')) throw new Error('broken.ts exports no policy')
      return modules.includes('mine.ts') ? policyRegistry({ mine: MINE }) : BUILT_IN_POLICIES
    },
    askWorkers: async (workers) => {
      const reachable = workers.filter(({ binding }) => binding === null)
      return new Map(reachable.map(({ id }) => [id, ANSWERS[id] ?? null]))
    },
    env: () => undefined,
    write: (text) => void (output += text),
    writeError: (text) => void (errors += text),
  })
  return { code, output, errors }
}

test('a good file: summary and 0, without a key', async () => {
  const { code, output } = await run()
  expect(code).toBe(0)
  expect(output).toMatch(/^Configuration is valid\nSummary:\n/)
  for (const word of [
    'workers:',
    'models:   m',
    'policy:   round_robin',
    'timeouts: connect 5s',
    'within first_byte',
  ]) {
    expect(output).toContain(word)
  }
  expect(output).not.toContain('s3cret')
})

test('a bad file: every finding, in the form editors read, and 1', async () => {
  const { code, output } = await run('--config', 'bad.yaml')
  expect(code).toBe(1)
  expect(output).toContain('bad.yaml:1:1 error wokers: unknown key "wokers"; did you mean workers?\n')
  expect(output).toContain('bad.yaml:2:7 error port: must be a whole number from 1 to 65535, got 0\n')
  expect(output).toContain('Configuration is not valid: 3 errors\n')
})

test('warnings are printed and cost nothing', async () => {
  const { code, output } = await run('--config=warned.yaml')
  expect(code).toBe(0)
  expect(output).toMatch(/^warned.yaml:2:1 warning log_dir: .*\nConfiguration is valid\n/)
})

test('--json gives findings and summary as data', async () => {
  const good = await run('--json')
  expect(JSON.parse(good.output)).toMatchObject({ ok: true, findings: [], summary: { policy: 'round_robin' } })
  expect(good.output).not.toContain('s3cret')
  const bad = await run('--json', '--config', 'bad.yaml')
  expect(bad.code).toBe(1)
  expect(JSON.parse(bad.output)).toMatchObject({
    ok: false,
    file: 'bad.yaml',
    summary: null,
    findings: [{ line: 1 }, {}, {}],
  })
})

test.each([[['--config', 'none.yaml']], [['--config']], [['--config=']], [['--what']], [['file.yaml']]])(
  '%j is a misuse: 2, on standard error',
  async (args) => {
    const { code, output, errors } = await run(...args)
    expect(code).toBe(2)
    expect(output).toBe('')
    expect(errors).toMatch(/^vllm-edge-router validate: /)
  },
)

test('--help', async () => {
  const { code, output } = await run('--help')
  expect(code).toBe(0)
  expect(output).toMatch(/^Usage: vllm-edge-router validate/)
})

test('--plugin lends the policies of a module', async () => {
  expect((await run('--config', 'mine.yaml')).output).toContain('no policy is called "mine"')
  const { code, output } = await run('--config', 'mine.yaml', '--plugin', 'mine.ts')
  expect([code, output]).toEqual([0, expect.stringContaining('policy:   mine')])
  const broken = await run('--plugin', 'broken.ts')
  expect(broken).toMatchObject({ code: 2, output: '', errors: expect.stringContaining('exports no policy') })
})

test('--online asks the workers: warnings with their place, and 0', async () => {
  const { code, output } = await run('--config', 'rules.yaml', '--online')
  expect(code).toBe(0)
  expect(output.split('\n').slice(0, 6)).toEqual([
    'rules.yaml:3:5 warning workers[1]: down does not answer GET /v1/models',
    'rules.yaml:4:48 warning workers[2].models: listed does not list gone; it has n',
    'rules.yaml:7:30 warning model_rules[1].fallback[1]: no worker that answers serves x',
    'rules.yaml:8:29 warning model_rules[2].weights.y: no worker that answers serves y',
    'rules.yaml:9:16 warning default_model: no worker that answers serves z',
    'Configuration is valid',
  ])
  expect((await run('--online')).output).toMatch(/^Configuration is valid/)
  expect(JSON.parse((await run('--config', 'rules.yaml', '--online', '--json')).output).findings).toHaveLength(5)
})

test('--online puts each remark where the file has what it is about', async () => {
  const { output } = await run('--config', 'urls.yaml', '--online')
  expect(output.split('Configuration is valid')[0]?.trim().split('\n')).toEqual([
    'urls.yaml:6:30 warning model_rules[0].fallback[1]: stands in the list before; it counts once',
    'urls.yaml:6:36 warning model_rules[0].fallback[3]: stands in the list before; it counts once',
    'urls.yaml:1:50 warning mode.worker_urls[1]: http://down does not answer GET /v1/models',
    'urls.yaml:3:43 note workers[0].binding: gpu was not asked: it is reached through the binding GPU, which Workers have',
    'urls.yaml:4:47 warning workers[1].models: twice does not list gone; it has n',
    'urls.yaml:4:47 warning workers[1].models: twice does not list m; it has n',
    'urls.yaml:6:33 warning model_rules[0].fallback[2]: no worker that answers serves x',
  ])
})

test('--online does not repeat what the file says already', async () => {
  const said = [
    'listed.yaml:3:25 warning model_rules[0].rewrite: no worker lists larg among its models',
    'listed.yaml:4:62 warning model_rules[1].fallback[1]: stands in the list before; it counts once',
    'listed.yaml:4:65 warning model_rules[1].fallback[2]: no worker lists huge among its models',
    'listed.yaml:4:71 warning model_rules[1].fallback[3]: stands in the list before; it counts once',
    'listed.yaml:5:16 warning default_model: no worker lists z among its models',
  ]
  const offline = await run('--config', 'listed.yaml')
  expect(offline.output.split('Configuration is valid')[0]?.trim().split('\n')).toEqual(said)
  expect((await run('--config', 'listed.yaml', '--online')).output).toBe(offline.output)
})

test('without --online nobody is asked', async () => {
  expect((await run('--config', 'rules.yaml')).output).toMatch(/^Configuration is valid/)
})

test('a file with errors is not asked about', async () => {
  const { code, output } = await run('--config', 'bad.yaml', '--online')
  expect([code, output]).toEqual([1, expect.not.stringContaining('does not answer')])
})
