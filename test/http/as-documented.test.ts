// Commands as the documentation gives them: through npx, and with a policy that imports the package by its name.

import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, until } from '../support/launch.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vllm-edge-router-documented-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('npx vllm-edge-router serve', () => {
  test('ends when only npm is told to stop', { timeout: 60_000 }, async () => {
    const port = await freePort()
    const config = join(folder, 'config.yaml')
    writeFileSync(config, 'workers: [{ url: "http://127.0.0.1:9", models: [m] }]\n')
    const npm = spawn('npx', ['vllm-edge-router', 'serve', '--config', config, '--port', String(port)], { cwd: root })
    const url = `http://127.0.0.1:${port}/health`
    const isUp = () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(isUp, 30_000, () => 'it did not start')
    npm.kill('SIGTERM')
    await until(
      async () => !(await isUp()),
      10_000,
      () => 'the server outlives npm',
    )
  })
})

describe('the policy in docs/policies.md', () => {
  test('loads as it stands there, by the package’s name', { timeout: 60_000 }, async () => {
    const page = readFileSync(join(root, 'docs/policies.md'), 'utf8')
    const example = [...page.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, code = '']) => code)
      .find((code) => code.includes('definePolicy'))
    writeFileSync(join(folder, 'mine.ts'), example ?? '')
    writeFileSync(
      join(folder, 'plugin.yaml'),
      'workers: [{ url: "http://a:1", models: [m] }]\npolicy: { type: prefer_label, label: tier }\n',
    )
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, 'bin/vllm-edge-router.js'), 'validate', '--config', 'plugin.yaml', '--plugin', './mine.ts'],
      { cwd: folder },
    )
    expect(stdout).toContain('Configuration is valid')
  })
})
