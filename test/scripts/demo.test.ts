// `npm start`, as a newcomer runs it: the printed curl works as pasted, and nothing is left behind.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort, until } from '../support/launch.ts'
import { killGroups, root, startUntil } from '../support/program-group.ts'

const run = promisify(execFile)

afterEach(killGroups)

async function startDemo(...more: string[]) {
  const port = await freePort()
  return { port, ...(await startUntil('npm', ['start', '--', '--port', String(port), ...more], /Ctrl-C ends/)) }
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

  test('runs the demo of decisions: maths, code and all else', { timeout: 90_000 }, async () => {
    const { port, output } = await startDemo('--config', 'configs/decisions.yaml')
    const curl = output().match(/^ {2}(curl -iN .*)$/m)?.[1] ?? ''
    expect((await run('sh', ['-c', curl])).stdout).toContain('x-vllm-router-decision: general_route')
    const ask = async (content: string) => {
      const { status, headers } = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'auto', max_tokens: 4, messages: [{ role: 'user', content }] }),
      })
      return [status, headers.get('x-vllm-router-decision'), headers.get('x-vllm-router-model')]
    }
    expect(await ask('Solve the equation x^2 = 2')).toEqual([200, 'math_route', 'qwen3-32b'])
    expect(await ask('Write a python function')).toEqual([200, 'code_route', 'qwen3-32b'])
    expect(await ask('What is the capital of France?')).toEqual([200, 'general_route', 'llama-3.1-8b'])
  })

  test(
    'runs the example of clusters, vectors included, and ends with npm when only npm is told to',
    { timeout: 90_000 },
    async () => {
      const { port, group } = await startDemo('--config', 'configs/semantic-cluster.yaml')
      const ask = async (content: string) => {
        const { headers } = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'llama-3.1-8b', max_tokens: 4, messages: [{ role: 'user', content }] }),
        })
        return [headers.get('x-vllm-router-cluster'), headers.get('x-vllm-router-worker')]
      }
      await until(
        async () => (await ask('Solve the equation 4x + 5 = 21'))[0] === 'maths',
        30_000,
        () => 'no cluster was ever near',
      )
      expect(await ask('Add a unit test for the parser of my code')).toEqual(['code', 'code-1'])

      process.kill(group, 'SIGTERM')
      await until(
        async () => !(await isGroupAlive(group)),
        10_000,
        () => 'processes of the demo are left behind',
      )
    },
  )
})
