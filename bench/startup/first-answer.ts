// How long from starting a program until it has answered its first chat, and what CPU that took.

import { spawn } from 'node:child_process'
import { openConnection } from '../generator/connection.ts'
import { loadNamed, requestBytes } from '../loads.ts'
import { cpuSecondsOf, treeOf } from '../proc.ts'

export interface StartCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly port: number
  /** Variables it is started with besides those of this process. */
  readonly variables?: Readonly<Record<string, string>>
}

export interface FirstAnswer {
  readonly ms: number
  readonly cpuMs: number
}

const RETRY_MS = 2
const LIMIT_MS = 60_000

/** Starts it, asks until it answers 200, and ends it. */
export async function timeFirstAnswer({ program, args, port, variables }: StartCommand): Promise<FirstAnswer> {
  const startedMs = performance.now()
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...variables } })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const { pid = 0 } = child
  try {
    while (!(await asksOnce(port))) {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode} before it answered`)
      if (performance.now() - startedMs > LIMIT_MS) throw new Error(`${program} did not answer within a minute`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    return { ms: performance.now() - startedMs, cpuMs: cpuSecondsOf(pid) * 1_000 }
  } finally {
    const tree = treeOf(pid)
    child.kill('SIGTERM')
    const timer = setTimeout(() => tree.forEach(killForSure), 5_000)
    await exited
    clearTimeout(timer)
  }
}

/** Whether one chat was answered as it should be. */
function asksOnce(port: number): Promise<boolean> {
  const load = loadNamed('chat-2kb')
  const wire = { port, request: requestBytes(load, `127.0.0.1:${port}`), answerBytes: load.answerBytes }
  return new Promise((resolve) => {
    let isRight = false
    const connection = openConnection(wire, {
      onOpen: () => connection.ask(),
      onAnswer(answer) {
        isRight = answer.isRight
        connection.destroy()
      },
      onClose: () => resolve(isRight),
    })
  })
}

function killForSure(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
