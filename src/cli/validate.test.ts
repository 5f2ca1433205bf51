// The command from its arguments to its exit code.
// Files and environment are a literal; nothing is read from disk.

import { expect, test } from 'vitest'
import { BUILT_IN_POLICIES } from '../routing/policies/index.ts'
import { runValidate } from './validate.ts'

const FILES: Readonly<Record<string, string>> = {
  'config.yaml': 'workers: [{id: a, url: "http://a", models: [m]}]\napi_key: s3cret\n',
  'bad.yaml': 'wokers: []\nport: 0\n',
  'warned.yaml': 'workers: [{url: "http://a"}]\nlog_dir: /x\n',
}

async function run(...args: string[]) {
  let output = ''
  let errors = ''
  const code = await runValidate({
    args,
    readFile: async (path) => FILES[path] ?? Promise.reject(new Error('no such file')),
    policies: BUILT_IN_POLICIES,
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
