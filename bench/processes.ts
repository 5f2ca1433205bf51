// Starts the processes of a benchmark, and ends every one of them by its id.

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { treeOf } from './proc.ts'

export interface Running {
  readonly pid: number
  stop(): Promise<void>
}

/** A process of our own that is talked to by messages. It ends by itself when this process does. */
export interface Partner extends Running {
  ask<Answer>(message: unknown): Promise<Answer>
}

/** What a benchmark has started: it ends together, also when a signal ends this process. */
export class StartedParts {
  readonly #parts: Running[] = []

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void this.stop().then(() => process.exit(1)))
    }
  }

  keep<Part extends Running>(part: Part): Part {
    this.#parts.push(part)
    return part
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.splice(0).map((part) => part.stop()))
  }
}

const STOP_MS = 5_000
const READY_MS = 60_000

export function startPartner(module: string): Partner {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  return {
    ...running(child),
    ask<Answer>(message: unknown) {
      return new Promise<Answer>((resolve, reject) => {
        const onExit = () => reject(new Error(`${module} ended`))
        child.once('exit', onExit)
        child.once('message', (answer) => {
          child.off('exit', onExit)
          // Both ends are ours, and typed by the same interfaces.
          resolve(answer as Answer)
        })
        child.send(message as object)
      })
    },
  }
}

export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  /** Variables beyond this process's own. */
  readonly env?: Readonly<Record<string, string>>
  readonly port: number
  /** Path that answers 200 once the server is ready. */
  readonly readyPath: string
}

/** Starts a server and waits until it is ready. What it writes to standard output is thrown away by the kernel. */
export async function startServerProcess(command: ServerCommand): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-bench-'))
  const errorsPath = join(directory, 'stderr')
  const errors = openSync(errorsPath, 'w')
  const env = { ...process.env, ...command.env }
  const child = spawn(command.program, command.args, { env, stdio: ['ignore', 'ignore', errors] })
  closeSync(errors)
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  const stoppable = running(child)
  try {
    await Promise.race([untilReady(command, child), failed])
  } catch (cause) {
    await stoppable.stop()
    throw new Error(`${command.program} ${command.args.join(' ')}\n${readFileSync(errorsPath, 'utf8')}`, { cause })
  } finally {
    // An open file goes on existing for the one who writes to it.
    rmSync(directory, { recursive: true, force: true })
  }
  return stoppable
}

async function untilReady({ port, readyPath }: ServerCommand, child: ChildProcess): Promise<void> {
  const untilMs = Date.now() + READY_MS
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}${readyPath}`).catch(() => null)
    await answer?.arrayBuffer()
    if (answer?.ok === true) return
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before it was ready`)
    if (Date.now() > untilMs) throw new Error('was not ready within a minute')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function running(child: ChildProcess): Running {
  const { pid = 0 } = child
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  return {
    pid,
    async stop() {
      if (pid === 0 || child.exitCode !== null || child.signalCode !== null) return
      const tree = treeOf(pid)
      child.kill('SIGTERM')
      const timer = setTimeout(() => tree.forEach(killForSure), STOP_MS)
      await exited
      clearTimeout(timer)
    },
  }
}

function killForSure(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
