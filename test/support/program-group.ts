// Programs as a shell starts them: each in a process group of its own, so that everything it starts can be found and ended.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { until } from './launch.ts'

/** The checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

const START_TIMEOUT_MS = 60_000

const groups: number[] = []

export interface StartedProgram {
  /** The process group, which is also the id of its first process. */
  readonly group: number
  /** What it has printed so far, errors among it. */
  output(): string
}

/** Starts a program in the checkout; resolves once what it prints matches. */
export async function startUntil(command: string, args: readonly string[], holds: RegExp): Promise<StartedProgram> {
  const child = spawn(command, args, { cwd: root, detached: true })
  const group = child.pid ?? 0
  groups.push(group)
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  await until(
    () => holds.test(output),
    START_TIMEOUT_MS,
    () => `it did not start:\n${output}`,
  )
  return { group, output: () => output }
}

/** Ends every group that was started here and has not ended by itself. */
export function killGroups(): void {
  for (const group of groups.splice(0)) {
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // The group has ended.
    }
  }
}
