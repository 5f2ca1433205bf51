// `npm start`, as a newcomer runs it: the printed curl works as pasted, and nothing is left behind.

import { execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort, until } from '../support/launch.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const groups: number[] = []

afterEach(() => {
  for (const group of groups.splice(0)) {
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // The group ended by itself, as it should.
    }
  }
})

async function startDemo() {
  const port = await freePort()
  // A group of its own, so that everything it starts can be listed.
  const child = spawn('npm', ['start', '--', '--port', String(port)], { cwd: root, detached: true })
  const group = child.pid ?? 0
  groups.push(group)
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  await until(
    () => output.includes('Ctrl-C ends'),
    60_000,
    () => `the demo did not start:\n${output}`,
  )
  return { port, group, output: () => output }
}

async function isGroupAlive(group: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-eo', 'pgid=,stat='])
  return stdout.split('\n').some((line) => {
    const [pgid, stat = ''] = line.trim().split(/\s+/)
    return Number(pgid) === group && !stat.startsWith('Z')
  })
}

describe('npm start', () => {
  test('prints a curl that works, and Ctrl-C leaves no process', { timeout: 90_000 }, async () => {
    const { port, group, output } = await startDemo()
    const curl = output().match(/^ {2}(curl -iN .*)$/m)?.[1] ?? ''
    expect(curl).toContain(`http://127.0.0.1:${port}/v1/chat/completions`)
    const { stdout } = await run('sh', ['-c', curl])
    expect(stdout).toContain('HTTP/1.1 200')
    expect(stdout).toMatch(/x-vllm-router-worker: gpu-[12]/)
    expect(stdout).toContain('data: [DONE]')
    const worker = /x-vllm-router-worker: (\S+)/.exec(stdout)?.[1] ?? ''

    const explain = output().match(/^ {2}(npx vllm-edge-router explain .*)$/m)?.[1] ?? ''
    const explained = await run('sh', ['-c', `${explain} --text`], { cwd: root })
    expect(explained.stdout).toContain(worker)
    expect(explained.stdout).toContain('least_load')

    process.kill(-group, 'SIGINT')
    await until(
      async () => !(await isGroupAlive(group)),
      10_000,
      () => 'processes of the demo are left behind',
    )
  })

  test('ends with npm when only npm is told to stop', { timeout: 90_000 }, async () => {
    const { group } = await startDemo()
    process.kill(group, 'SIGTERM')
    await until(
      async () => !(await isGroupAlive(group)),
      10_000,
      () => 'processes of the demo are left behind',
    )
  })
})
