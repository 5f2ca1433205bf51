// `npm start`, as a newcomer runs it: the printed curl works as pasted, and nothing is left behind.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort, until } from '../support/launch.ts'
import { killGroups, root, startUntil } from '../support/program-group.ts'

const run = promisify(execFile)

afterEach(killGroups)

async function startDemo() {
  const port = await freePort()
  return { port, ...(await startUntil('npm', ['start', '--', '--port', String(port)], /Ctrl-C ends/)) }
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
