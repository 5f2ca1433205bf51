// The life of a router process: it starts or says why not, stops in order when asked, and leaves nothing behind.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type StartedWorker, startSimulatedWorker } from '../../src/runtime/node-simulator.ts'
import { fetchWhole, send } from '../support/http-client.ts'
import { type LaunchedRouter, launchRouter, type RuntimeName, RUNTIMES, until } from '../support/launch.ts'
import { runCommand } from '../support/run-command.ts'

let sim: StartedWorker
beforeAll(async () => {
  sim = await startSimulatedWorker({ port: 0, models: ['m'], itlMs: 10, outputTokens: 5_000 })
})
afterEach(() => sim.reset())
afterAll(() => sim.close())

async function start(runtime: RuntimeName, config: object = {}): Promise<LaunchedRouter> {
  const text = JSON.stringify({ workers: [{ url: sim.url }], ...config })
  // As `--runtime` starts them: signals and exit codes are the runtime's own all the same.
  const router = await launchRouter(runtime, { config: text, isStartedByNode: true })
  onTestFinished(() => router.stop())
  return router
}

function stream(router: LaunchedRouter, tokens: number, agent?: Agent) {
  const body = { model: 'm', messages: [{ role: 'user', content: 'hello' }], max_tokens: tokens, stream: true }
  return send(`${router.url}/v1/chat/completions`, body, agent === undefined ? {} : { agent })
}

/** Sends the signal and times the end. */
async function end(router: LaunchedRouter, signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
  const begin = Date.now()
  const code = await router.signal(signal)
  return { code, ms: Date.now() - begin }
}

describe.each(['node', 'bun', 'deno'] as const)('stopping on %s', (runtime) => {
  test('SIGTERM: no new work, while running streams finish whole', async () => {
    const router = await start(runtime)
    const kept = new Agent({ keepAlive: true })
    onTestFinished(() => kept.destroy())
    expect((await fetchWhole(`${router.url}/health`, null, { agent: kept })).status).toBe(200)
    const streams = [100, 120, 140].map((tokens) => stream(router, tokens))
    const replies = await Promise.all(streams.map(({ reply }) => reply))
    await Promise.all(replies.map(({ next }) => next()))

    const ended = end(router, 'SIGTERM')
    // Refused at the port, or with 503 on a connection that was open before.
    const tryAgain = (agent?: Agent) =>
      stream(router, 1, agent).reply.then(
        ({ status }) => status,
        () => 'refused',
      )
    await until(
      async () => (await tryAgain()) !== 200,
      500,
      () => 'new work is still taken',
    )
    expect([503, 'refused']).toContain(await tryAgain(kept))
    expect(router.process.exitCode).toBeNull()

    const rests = await Promise.all(replies.map(({ rest }) => rest()))
    for (const rest of rests) expect(rest.toString()).toMatch(/"finish_reason":"length"[^]*data: \[DONE\]\n\n$/)
    expect((await ended).code).toBe(0)
    const served = router.records().filter((record) => record['status'] === 200)
    expect(served.filter((record) => record['stream_end'] !== 'complete')).toEqual([])
    expect(sim.state()).toMatchObject({ running: 0, aborted: 0 })
  })

  test('a stream longer than the grace time is cut, and the worker let go', async () => {
    const router = await start(runtime, { shutdown_grace_secs: 1 })
    const { reply } = stream(router, 5_000)
    const { next, rest } = await reply
    await next()
    const broken = rest().then(
      (bytes) => bytes.toString().includes('[DONE]'),
      () => false,
    )
    const { code, ms } = await end(router, 'SIGTERM')
    expect(ms).toBeGreaterThanOrEqual(950)
    expect(ms).toBeLessThan(2_500)
    expect(code).toBe(0)
    expect(router.output()).toContain('shutdown_grace_secs')
    expect(await broken).toBe(false)
    await until(
      () => sim.state().running === 0,
      1_000,
      () => 'the worker still runs it',
    )
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s when idle, with connections kept alive: at once', async (signal) => {
    const router = await start(runtime)
    const kept = new Agent({ keepAlive: true })
    onTestFinished(() => kept.destroy())
    await Promise.all([1, 2, 3].map(() => fetchWhole(`${router.url}/health`, null, { agent: kept })))
    const { code, ms } = await end(router, signal)
    expect(code).toBe(0)
    expect(ms).toBeLessThan(2_000)
  })
})

describe('stopping on workerd', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s leaves no process behind', async (signal) => {
    const router = await start('workerd')
    expect((await fetchWhole(`${router.url}/health`, null)).status).toBe(200)
    const children = await childrenOf(router.process.pid ?? 0)
    expect(children.length).toBeGreaterThan(0)
    const { code, ms } = await end(router, signal)
    expect(code).toBe(0)
    expect(ms).toBeLessThan(5_000)
    await until(
      async () => (await Promise.all(children.map(isAlive))).every((alive) => !alive),
      2_000,
      () => `left behind: ${children.join(', ')}`,
    )
  })
})

/** Ids of the processes that this one started, and of those they started. */
async function childrenOf(parent: number): Promise<number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(ids.map(parentOf))
  const own = ids.filter((_, at) => parents[at] === parent)
  const theirs = await Promise.all(own.map(childrenOf))
  return [...own, ...theirs.flat()]
}

/** The fourth field, counted after the name, which may hold spaces; a process that has ended has none. */
async function parentOf(id: number): Promise<number | null> {
  const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')
  return Number(/\) \S (\d+)/.exec(stat)?.[1] ?? Number.NaN)
}

async function isAlive(id: number): Promise<boolean> {
  const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => null)
  return stat !== null && !/\) Z /.test(stat)
}

describe.each(RUNTIMES)('not starting on %s', (runtime) => {
  test('a port in use: exit 1, and the address is named', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void holder.close())
    await until(
      () => holder.listening,
      1_000,
      () => 'no port',
    )
    const address = holder.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    const config = await configFile(JSON.stringify({ workers: [{ url: sim.url }] }))
    const { code, stdout, stderr } = await runCommand([
      'serve',
      '--config',
      config,
      '--port',
      port,
      '--runtime',
      runtime,
    ])
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}`)
    expect(stderr).toMatch(/in use|EADDRINUSE/i)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(stdout).not.toContain('listening on')
  })

  test('a bad configuration: exit 1, and every error is listed with its line', async () => {
    const config = await configFile(
      'workers:\n  - url: ftp://example.com\npolicy: round_robbin\nprot: 3001\ntimeouts: {idle: soon}\n',
    )
    const { code, stderr } = await runCommand(['serve', '--config', config, '--runtime', runtime])
    expect(code).toBe(1)
    for (const [line, word] of [
      [2, 'ftp'],
      [3, 'round_robin'],
      [4, 'port'],
      [5, 'idle'],
    ]) {
      const told = stderr.split('\n').filter((text) => text.includes(`:${line}:`))
      expect(told.join('\n'), stderr).toContain(word)
    }
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})

async function configFile(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vllm-edge-router-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'config.yaml')
  await writeFile(path, text)
  return path
}

describe('the command line', () => {
  test.each([
    [['--help']],
    [['help']],
    [['--version']],
    [['serve', '--help']],
    [['sim-worker', '--help']],
    [['validate', '--help']],
  ])('%j: exit 0, told on standard output', async (args) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.length).toBeGreaterThan(3)
  })

  test.each([
    [[], /serve/],
    [['sevre'], /unknown command sevre/],
    [['serve', '--prot', '1'], /unknown argument --prot/],
    [['serve', '--port', 'abc'], /--port abc/],
    [['serve', '--port'], /--port wants a value/],
    [['serve', '--runtime', 'perl'], /perl is none of/],
    [['serve', '--config', '/nonexistent/config.yaml'], /cannot read \/nonexistent\/config\.yaml/],
    [['validate', '--nonsense'], /nonsense/],
    [['sim-worker'], /model/],
  ])('%j: exit 2, with what is wrong', async (args, message) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect(code).toBe(2)
    expect(stdout + stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})
