// Runs this command line again under another runtime, in place of this process where the system allows it, so that
// signals and exit codes are the other's own and nothing is left behind when this process is killed.

import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Host } from '../cli/host.ts'

type OtherRuntime = Host['runtime']

/** How each runtime runs a script with full access to network and files. */
export const LEADING_ARGS: Readonly<Record<OtherRuntime, readonly string[]>> = {
  node: [],
  bun: [],
  // The dependencies are those npm installed; Deno must not look for others. Without its legacy a request's signal fires for
  // clients that leave, and not after every answer, each time with two errors and their stacks.
  deno: ['run', '--allow-all', '--no-prompt', '--quiet', '--node-modules-dir=manual', '--unstable-no-legacy-abort'],
}

/** Resolves with the exit code where the process could not be replaced. Rejects when the runtime is not installed. */
export async function runUnder(runtime: OtherRuntime, args: readonly string[]): Promise<number> {
  const program = findProgram(runtime)
  if (program === null) {
    throw new Error(`${runtime} is not installed: npm install --save-dev ${runtime}, or put it on the PATH`)
  }
  const script = process.argv[1] ?? ''
  const all = [...LEADING_ARGS[runtime], realpathSync(script), ...args]
  if (typeof process.execve === 'function') process.execve(program, [program, ...all], withoutUndefined(process.env))
  return runAsChild(program, all)
}

function findProgram(name: string): string | null {
  const directories = [...ancestorBins(dirname(realpathSync(process.argv[1] ?? '.'))), ...ancestorBins(process.cwd())]
  for (const directory of [...directories, ...(process.env['PATH'] ?? '').split(delimiter)]) {
    const candidate = join(directory, name)
    if (directory !== '' && existsSync(candidate)) return realpathSync(candidate)
  }
  return null
}

/** `node_modules/.bin` of a directory and of each above it. */
function ancestorBins(from: string): string[] {
  const bins: string[] = []
  for (let directory = from; ; directory = dirname(directory)) {
    bins.push(join(directory, 'node_modules', '.bin'))
    if (dirname(directory) === directory) return bins
  }
}

async function runAsChild(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' })
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  process.on('SIGTERM', pass)
  process.on('SIGINT', pass)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

function withoutUndefined(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
