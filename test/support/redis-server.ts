// A real Redis of a test's own: a free port of this machine, nothing kept on disk, ended by its process.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, until } from './launch.ts'

const START_TIMEOUT_MS = 30_000

export interface RedisServer {
  /** `redis://127.0.0.1:<port>`, with the password when there is one. */
  readonly url: string
  readonly port: number
  readonly process: ChildProcess
  stop(): Promise<void>
}

export interface RedisServerOptions {
  /** What clients must say; none when absent. */
  readonly password?: string
  /** A port that was free; one is found when absent. To start again where another one stopped. */
  readonly port?: number
}

/** Starts `redis-server`; fails, saying what to install, where there is none. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-server-'))
  const port = options.port ?? (await freePort())
  const child = spawn('redis-server', serverArguments({ ...options, port, directory }), {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let failure: Error | undefined
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error
      resolve()
    })
    child.once('exit', () => resolve())
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await until(
      () => /Ready to accept connections/.test(output) || failure !== undefined || child.exitCode !== null,
      START_TIMEOUT_MS,
      () => `redis-server did not start:\n${output}`,
    )
    if (failure !== undefined) {
      throw new Error(
        'redis-server could not be run: install it (Debian: apt-get install redis-server) so that it is on the PATH',
        { cause: failure },
      )
    }
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}:\n${output}`)
  } catch (error) {
    await stop()
    throw error
  }
  const secret = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
  return { url: `redis://${secret}127.0.0.1:${port}`, port, process: child, stop }
}

function serverArguments({
  port,
  directory,
  password,
}: {
  port: number
  directory: string
  password?: string
}): string[] {
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory]
  // What is not said on the command line comes from no file; nothing is written.
  const keeping = ['--save', '', '--appendonly', 'no', '--daemonize', 'no', '--loglevel', 'notice']
  return [...place, ...keeping, ...(password === undefined ? [] : ['--requirepass', password])]
}
