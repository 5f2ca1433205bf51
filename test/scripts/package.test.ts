// What `npm pack` ships: the tarball is installed in an empty folder, and every command runs from there.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, RUNTIMES, until } from '../support/launch.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const started: ChildProcess[] = []
let folder = ''

const bin = () => join(folder, 'node_modules/.bin/vllm-edge-router')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vllm-edge-router-pack-'))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')))
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  await run('npm', ['install', '--no-audit', '--no-fund', '--omit=peer', join(folder, filename)], { cwd: folder })
  // The runtimes and Miniflare are the user's own to install; lend the ones this checkout has.
  for (const name of ['bun', 'deno', 'miniflare', 'esbuild', 'node']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  for (const name of ['bun', 'deno']) {
    symlinkSync(join(root, 'node_modules/.bin', name), join(folder, 'node_modules/.bin', name))
  }
}, 180_000)

afterAll(async () => {
  // In order, so that a server takes the workerd it started with it.
  const ended = started.map((child) => new Promise((resolve) => child.once('exit', resolve)))
  for (const child of started) child.kill('SIGTERM')
  await Promise.all(ended)
  rmSync(folder, { recursive: true, force: true })
})

async function start(args: readonly string[], port: number): Promise<void> {
  const child = spawn(bin(), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  await until(
    () => output.includes(`listening on http://127.0.0.1:${port}`),
    60_000,
    () => `${args.join(' ')} did not start:\n${output}`,
  )
}

describe('the packed package', () => {
  let workerPort = 0

  beforeAll(async () => {
    workerPort = await freePort()
    await start(
      ['sim-worker', '--port', String(workerPort), '--model', 'm', '--itl-ms', '0', '--prefill-overhead-ms', '0'],
      workerPort,
    )
    writeFileSync(join(folder, 'config.yaml'), `workers: [{ url: "http://127.0.0.1:${workerPort}" }]\n`)
  }, 90_000)

  test('ships no sources and no tests', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root })
    const [{ files }] = JSON.parse(stdout.slice(stdout.indexOf('[')))
    const paths: string[] = files.map(({ path }: { path: string }) => path)
    expect(paths.filter((path) => /^(src|test|bench|scripts)\/|\.test\./.test(path))).toEqual([])
    expect(paths).toContain('dist/runtime/main.js')
    expect(paths).toContain('bin/vllm-edge-router.js')
  })

  test('answers to both of its names', async () => {
    const { stdout } = await run(join(folder, 'node_modules/.bin/vllm-router'), ['--version'], { cwd: folder })
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
  })

  test('validates', async () => {
    const { stdout } = await run(bin(), ['validate', '--config', 'config.yaml'], { cwd: folder })
    expect(stdout).toContain('Configuration is valid')
  })

  test.each(RUNTIMES)('serves on %s', { timeout: 90_000 }, async (runtime) => {
    const port = await freePort()
    await start(['serve', '--config', 'config.yaml', '--port', String(port), '--runtime', runtime], port)
    const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', max_tokens: 2, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ object: 'chat.completion' })
  })

  test('can be imported, types and all', async () => {
    const script = `import { definePolicy, createRouter, headers } from 'vllm-edge-router'
      import { createWorker } from 'vllm-edge-router/cloudflare'`
    // The Cloudflare entry imports a module only workerd has; resolving it is as far as Node gets.
    const failed = await run('node', ['--input-type=module', '-e', script], { cwd: folder }).catch(
      (error: unknown) => error,
    )
    expect(String(failed)).toContain('cloudflare:')
    const { stdout } = await run(
      'node',
      ['--input-type=module', '-e', `import * as all from 'vllm-edge-router'; console.log(Object.keys(all).join(' '))`],
      { cwd: folder },
    )
    expect(stdout).toContain('createRouter')
    expect(stdout).toContain('definePolicy')
  })
})
