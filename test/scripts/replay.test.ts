// `replay` as a shell runs it. What it does with what it is given is tested beside its code.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DecidedLog } from '../support/decided-log.ts'
import { REPLAYED_REQUESTS as REQUESTS, writeReplayFiles } from '../support/replay-files.ts'
import { type Ran, runCommand } from '../support/run-command.ts'

const BIN = fileURLToPath(new URL('../../bin/vllm-edge-router.js', import.meta.url))

describe('replay', { timeout: 60_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'replay-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const path = (name: string) => join(directory, name)
  let log: DecidedLog

  beforeAll(async () => {
    log = await writeReplayFiles(directory, ['round_robin', 'least_load'])
    writeFileSync(path('decisions.jsonl'), log.lines.map((line) => `${line}\n`).join(''))
  })

  const replay = (...args: readonly string[]) => runCommand(['replay', ...args], directory)

  test('the line of the Rust router works as typed, and begins with the sentence', async () => {
    const ran = await replay('--decisions', 'decisions.jsonl', '--config', 'least_load.yaml')
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout).toMatch(
      /^With least_load instead of round_robin: \d+ \(\d+\.\d %\) to the same worker, \d+ \(\d+\.\d %\) different\n/,
    )
  })

  test('reads standard input', async () => {
    const ran = await piped(`${log.lines.join('\n')}\n`, ['--decisions', '-', '--config', 'round_robin.yaml', '--json'])
    expect(JSON.parse(ran.stdout)).toMatchObject({ total: REQUESTS, different: 0, not_comparable: 0 })
  })

  function piped(text: string, args: readonly string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [BIN, 'replay', ...args], { cwd: directory })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
      child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
      child.once('close', (code) => resolve({ code, stdout, stderr }))
      child.stdin.end(text)
    })
  }

  test('exits with 1 when a condition is met, and says which', async () => {
    const ran = await replay('--decisions', 'decisions.jsonl', '--config', 'least_load.yaml', '--fail-if', 'moved>0.01')
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain('(moved>0.01)')
  })

  test('exits with 2 when it is used wrongly', async () => {
    const ran = await replay('--decision', 'decisions.jsonl')
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('unknown argument --decision') })
  })
})
