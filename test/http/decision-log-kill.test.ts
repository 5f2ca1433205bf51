// Processes that are killed while they write their decision log: lines are whole or absent, none is there twice, and what
// was acknowledged is there.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { createLogFiles } from '../../src/runtime/node-log-files.ts'
import { readRecord } from '../../src/record/read-record.ts'
import { DecisionFile } from '../../src/store/decision-file.ts'
import { ask, chatBody, postJson } from '../support/ask.ts'
import { send } from '../support/http-client.ts'
import { type LaunchOptions, launchRouter, until } from '../support/launch.ts'
import { decisionLogConfig } from '../support/decision-log-config.ts'
import { decisionId, recordNumber } from '../support/made-up-records.ts'

const SCRIPT = fileURLToPath(new URL('../support/append-decisions.ts', import.meta.url))
const BIN = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url))

const COMMANDS = {
  node: [process.execPath],
  bun: [`${BIN}bun`],
  deno: [`${BIN}deno`, 'run', '--allow-all', '--no-check', '--quiet'],
} as const

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'decision-log-kill-'))
})
afterEach(() => rm(directory, { recursive: true }))

const path = () => join(directory, 'decisions.jsonl')

/** Every line of every file; each must be a record. */
async function idsOnDisk(): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort()
  const ids: string[] = []
  for (const name of names) {
    const text = await readFile(join(directory, name), 'utf8')
    expect(text === '' || text.endsWith('\n'), `${name} ends in ${JSON.stringify(text.slice(-80))}`).toBe(true)
    for (const line of text.split('\n').slice(0, -1)) {
      const read = readRecord(line)
      expect(read.kind, line.slice(0, 200)).toBe('record')
      if (read.kind === 'record') ids.push(read.record.decision_id ?? '')
    }
  }
  return ids
}

/** Appends until it is killed; resolves with what it said was acknowledged. */
function appendUntilKilled(
  command: readonly string[],
  args: readonly string[],
  lifeMs: number,
): Promise<readonly string[]> {
  const [program = '', ...before] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...before, SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let acknowledged = ''
    let complaints = ''
    child.stdout.on('data', (text: Buffer) => {
      if (acknowledged === '') setTimeout(() => child.kill('SIGKILL'), lifeMs)
      acknowledged += text.toString()
    })
    child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
    child.once('error', reject)
    child.once('close', () => {
      // What was being said when it died may be cut short.
      if (acknowledged === '') reject(new Error(complaints))
      else resolve(acknowledged.split('\n').slice(0, -1))
    })
  })
}

describe.each(['node', 'bun', 'deno'] as const)('a log that is killed while it writes, on %s', (runtime) => {
  test.each(['never', 'interval', 'always'])('fsync: %s', async (fsync) => {
    const acknowledged: string[] = []
    for (let round = 0; round < 4; round += 1) {
      // Files of two sizes: some deaths come while one is put aside.
      const args = [path(), fsync, round % 2 === 0 ? '67108864' : '200000', String(round * 1_000_000)]
      acknowledged.push(...(await appendUntilKilled(COMMANDS[runtime], args, 100 + Math.random() * 200)))
    }
    await liveOnce(9_000_000)
    const ids = await idsOnDisk()
    expect(ids).toContain(decisionId(9_000_000))
    expect(new Set(ids).size).toBe(ids.length)
    const known = new Set(ids)
    expect(acknowledged.length).toBeGreaterThan(100)
    expect(acknowledged.filter((id) => !known.has(id))).toEqual([])
  })
})

/** A life that ends in order: it mends what the one before it left. */
async function liveOnce(n: number): Promise<void> {
  const after = (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  }
  const log = new DecisionFile({
    files: createLogFiles(),
    path: path(),
    config: decisionLogConfig(),
    now: () => Date.now(),
    after,
    onChange: (change) => expect.fail(JSON.stringify(change)),
  })
  await log.open()
  const written = log.append([recordNumber(n)], [])
  await log.close()
  await written
}

describe.each(['node', 'bun', 'deno'] as const)('a router that ends, on %s', (runtime) => {
  let sim: StartedWorker
  beforeEach(async () => {
    sim = await startSimulatedWorker({ port: 0, models: ['m'], prefillOverheadMs: 0, itlMs: 5, outputTokens: 100_000 })
  })
  afterEach(() => sim.close())

  async function start(settings: object, given: Pick<LaunchOptions, 'maxFileBytes'> = {}) {
    const router = await launchRouter(runtime, {
      ...given,
      // Node ignores SIGXFSZ, which what it becomes inherits; Deno by itself would end of a file that may not grow.
      isStartedByNode: true,
      config: JSON.stringify({
        workers: [{ id: 'sim', url: sim.url }],
        shutdown_grace_secs: 1,
        decision_log: { export_path: path(), ...settings },
      }),
    })
    onTestFinished(() => router.stop())
    const chat = (id: string) => postJson(`${router.url}/v1/chat/completions`, chatBody('m'), { 'x-request-id': id })
    return { router, chat }
  }

  test('by SIGKILL: has lost what the interval allows, and nothing before', async () => {
    const { router, chat } = await start({ export_interval_secs: 0.2 })
    const sent: { readonly id: string; readonly atMs: number }[] = []
    for (let n = 0; n < 200; n += 1) {
      const answer = await chat(`r-${n}`)
      sent.push({ id: answer.headers.get('x-vllm-router-decision-id') ?? '', atMs: Date.now() })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const killedAtMs = Date.now()
    await router.signal('SIGKILL')
    const ids = await idsOnDisk()
    expect(new Set(ids).size).toBe(ids.length)
    // The interval, and a machine that is busy.
    const due = sent.filter(({ atMs }) => atMs < killedAtMs - 700)
    expect(due.length).toBeGreaterThan(0)
    expect(due.filter(({ id }) => !ids.includes(id))).toEqual([])
  })

  test('by SIGTERM: has written everything, also of a stream that was cut', async () => {
    const { router, chat } = await start({ export_interval_secs: 3_600 })
    for (let n = 0; n < 50; n += 1) await chat(`r-${n}`)
    const body = { ...chatBody('m'), stream: true, max_tokens: 100_000 }
    const { reply } = send(`${router.url}/v1/chat/completions`, body, { headers: { 'x-request-id': 'cut' } })
    await (await reply).next()
    expect(await router.signal('SIGTERM')).toBe(0)
    expect(await idsOnDisk()).toHaveLength(51)
    const text = await readFile(path(), 'utf8')
    const cut = JSON.parse(text.split('\n').find((line) => line.includes('"request_id":"cut"')) ?? '{}') as object
    expect(cut).toMatchObject({ lifecycle_state: expect.stringMatching(/^(?:aborted|unknown)$/) })
  })

  test('by SIGTERM while its disk is away: ends all the same, and says what it lost', async () => {
    // A file where a directory should be.
    await writeFile(join(directory, 'taken'), '')
    const { router, chat } = await start({ export_path: join(directory, 'taken', 'decisions.jsonl') })
    expect((await chat('r-0')).status).toBe(200)
    expect(await router.signal('SIGTERM')).toBe(0)
    expect(router.output()).toMatch(/"event":"decision_log_failing","reason":"cannot write [^"]*decisions.jsonl \(/)
    expect(router.output()).toMatch(/"event":"decision_log_losing",[^\n]*"waiting":1,"lost":1/)
  })

  test('not at all by a log that the system lets grow no further', async () => {
    const maxFileBytes = 64 * 1024 * 1024
    await writeFile(path(), '')
    await truncate(path(), maxFileBytes - 3)
    const { router, chat } = await start({ export_interval_secs: 0.05, rotate_bytes: '1GiB' }, { maxFileBytes })
    expect((await chat('r-0')).status).toBe(200)
    const isTold = () => /"event":"decision_log_failing","reason":"cannot write [^"]*\(EFBIG\)/.test(router.output())
    await until(isTold, 10_000, () => router.output())
    expect((await chat('r-1')).status).toBe(200)
    expect(await router.signal('SIGTERM')).toBe(0)
  })

  test('not at all by a disk that does not answer, and neither does a request wait for it', async () => {
    // A pipe that nobody reads: opening it takes for ever.
    execFileSync('mkfifo', [path()])
    const { router, chat } = await start({ fsync: 'always' })
    const times: number[] = []
    for (let n = 0; n < 50; n += 1) {
      const beganAtMs = performance.now()
      expect((await chat(`r-${n}`)).status).toBe(200)
      times.push(performance.now() - beganAtMs)
    }
    const slowest = Math.max(...times)
    console.info(`${runtime}: ${slowest.toFixed(1)} ms for the slowest of 50 requests beside a disk that hangs`)
    expect(slowest).toBeLessThan(2_000)
    const stats = (await ask(`${router.url}/admin/stats`)).json() as { readonly decision_log: object }
    const expected = { kind: 'file', stored: 50, exported: 0, waiting: 50, lost: 0, failing: 'the disk is too slow' }
    expect(stats.decision_log).toMatchObject(expected)
    await router.signal('SIGKILL')
  })
})
