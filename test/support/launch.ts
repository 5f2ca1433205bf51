// Starts a real router in a process of its own, as a user would, on any of the four runtimes.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LEADING_ARGS } from '../../src/runtime/run-under.ts'
import { createRecordReader } from './record-reader.ts'

export type RuntimeName = 'node' | 'bun' | 'deno' | 'workerd'

export const RUNTIMES: readonly RuntimeName[] = ['node', 'bun', 'deno', 'workerd']

const BIN = fileURLToPath(new URL('../../bin/vllm-edge-router.js', import.meta.url))

/** Generous: four runtimes start side by side on two cores. */
const START_TIMEOUT_MS = 60_000

/** Records are written once the answer is out, by a process that may have to wait for its turn. */
const RECORD_WITHIN_MS = 20_000

export interface LaunchOptions {
  /** The configuration as YAML text. */
  readonly config: string
  readonly env?: Readonly<Record<string, string>>
  /** Texts of files beside the configuration, by what follows its name. */
  readonly besides?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Size that no file it writes may grow beyond. */
  readonly maxFileBytes?: number
  /**
   * Whether Node's command line hands over to Bun or Deno, as `--runtime` asks, or they run it themselves, which takes
   * half the time. They do unless told otherwise; Node always serves workerd.
   */
  readonly isStartedByNode?: boolean
}

export interface LaunchedRouter {
  readonly runtime: RuntimeName
  readonly url: string
  readonly process: ChildProcess
  /** The file it was started with. */
  readonly configPath: string
  /** Standard output and error so far. */
  output(): string
  /** Decision records written to the log so far. */
  records(): readonly Record<string, unknown>[]
  /** Waits until the log has a record that matches; rejects after twenty seconds. */
  record(matches: (record: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  /**
   * Waits until standard output or error says so; rejects after twenty seconds. What can be asked over HTTP is in the log
   * a little later.
   */
  told(what: string | RegExp): Promise<void>
  /** Sends a signal and waits for the exit code, and for all that was printed. */
  signal(signal: NodeJS.Signals): Promise<number | null>
  stop(): Promise<void>
}

export async function launchRouter(runtime: RuntimeName, options: LaunchOptions): Promise<LaunchedRouter> {
  const directory = await mkdtemp(join(tmpdir(), 'vllm-edge-router-'))
  const configPath = join(directory, 'config.yaml')
  await writeFile(configPath, options.config)
  for (const [ending, text] of Object.entries(options.besides ?? {})) await writeFile(configPath + ending, text)
  const port = await freePort()
  const args = ['serve', '--config', configPath, '--port', String(port), '--runtime', runtime, ...(options.args ?? [])]
  // A shell that becomes the router; `ulimit` counts in blocks of 512 bytes.
  const limited = options.maxFileBytes === undefined ? [] : [`ulimit -f ${options.maxFileBytes / 512}; exec "$@"`, 'sh']
  const shell = limited.length === 0 ? [] : ['sh', '-c', ...limited]
  const [program, ...rest] = [
    ...shell,
    ...(options.isStartedByNode ? [process.execPath] : programOf(runtime)),
    BIN,
    ...args,
  ]
  const child = spawn(program ?? process.execPath, rest, {
    // At debug the log has every decision record whole.
    env: { ...process.env, ROUTER_LOG_LEVEL: 'debug', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const reader = createRecordReader()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    reader.read(text)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))

  const url = `http://127.0.0.1:${port}`
  await until(
    () => new RegExp(`listening on http://\\S+:${port}\\s`).test(output) || child.exitCode !== null,
    START_TIMEOUT_MS,
    () => `${runtime} did not start:\n${output}`,
  ).catch((error: unknown) => {
    child.kill()
    throw error
  })
  if (child.exitCode !== null) throw new Error(`${runtime} ended at once with ${child.exitCode}:\n${output}`)

  const { records } = reader
  return {
    runtime,
    url,
    process: child,
    configPath,
    output: () => output,
    records,
    async record(matches) {
      let found: Record<string, unknown> | undefined
      await until(
        () => (found = records().find(matches)) !== undefined,
        RECORD_WITHIN_MS,
        () => `no such record in:\n${output.slice(-4_000)}`,
      )
      if (found === undefined) throw new Error('the record went away')
      return found
    },
    told: (what) =>
      until(
        () => (typeof what === 'string' ? output.includes(what) : what.test(output)),
        RECORD_WITHIN_MS,
        () => `${what} is not told in:\n${output.slice(-4_000)}`,
      ),
    async signal(signal) {
      child.kill(signal)
      return closed
    },
    async stop() {
      // A workerd outlives a parent that is killed, so that one is asked; the others end at once, streams or not.
      child.kill(runtime === 'workerd' ? 'SIGTERM' : 'SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** What runs a script on this runtime, as `--runtime` would. */
function programOf(runtime: RuntimeName): readonly string[] {
  if (runtime === 'node' || runtime === 'workerd') return [process.execPath]
  return [fileURLToPath(new URL(`../../node_modules/.bin/${runtime}`, import.meta.url)), ...LEADING_ARGS[runtime]]
}

/** Polls until `holds`; rejects with `complaint` after `limitMs`. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limitMs: number,
  complaint: () => string,
): Promise<void> {
  const untilMs = Date.now() + limitMs
  while (!(await holds())) {
    if (Date.now() > untilMs) throw new Error(complaint())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Test files that run side by side, at most; each has ports of its own, as a port is taken only after it was found free. */
const POOL = 8
const PORTS_OF_A_WORKER = 20_000 / POOL
const FIRST_PORT = 10_000 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % POOL) * PORTS_OF_A_WORKER

/** Ports that this process has given away. */
const given = new Set<number>()

/**
 * A port nobody listens on, below those that the system gives to outgoing connections: one of these could take it before
 * the process that it is meant for does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS_OF_A_WORKER)
    if (given.has(port)) continue
    // Those of long ago are free again.
    if (given.size > PORTS_OF_A_WORKER / 2) given.clear()
    given.add(port)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
