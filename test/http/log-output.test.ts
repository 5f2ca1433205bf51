// Standard output whose reader stands still, and then is gone, holds up no request and ends no router.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatBody, postJson } from '../support/ask.ts'
import { freePort, until } from '../support/launch.ts'

const BIN = fileURLToPath(new URL('../../bin/vllm-edge-router.js', import.meta.url))

/** At debug they log a KiB each: nearly twice what a pipe and the reader's own buffer hold. */
const FILLING = 200
const AT_A_TIME = 20

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vllm-edge-router-output-'))
  // A worker that is not there: the log is what matters.
  await writeFile(join(directory, 'config.yaml'), 'workers: [{id: a, url: "http://127.0.0.1:9", models: [m]}]\n')
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** A router whose standard output is read until it has started. */
async function startRouter(runtime: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const port = await freePort()
  const flags = { config: join(directory, 'config.yaml'), port: String(port), runtime, 'log-level': 'debug' }
  const args = ['serve', ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])]
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  await until(
    () => output.includes('"event":"started"'),
    60_000,
    () => `${runtime} did not start:\n${output}`,
  )
  return { child, url: `http://127.0.0.1:${port}` }
}

async function statusesOf(url: string, requests: number): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>()
  for (let sent = 0; sent < requests; sent += AT_A_TIME) {
    const some = Array.from({ length: AT_A_TIME }, () => postJson(`${url}/v1/chat/completions`, chatBody('m')))
    for (const { status } of await Promise.all(some)) statuses.add(status)
  }
  return statuses
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  return exited
}

test.each(['node', 'bun', 'deno'])('a router on %s goes on', { timeout: 90_000 }, async (runtime) => {
  const { child, url } = await startRouter(runtime)
  child.stdout?.pause()
  expect([...(await statusesOf(url, FILLING))]).toEqual([503])
  child.stdout?.destroy()
  expect([...(await statusesOf(url, AT_A_TIME))]).toEqual([503])
  expect(await exitCodeOf(child)).toBe(0)
})
