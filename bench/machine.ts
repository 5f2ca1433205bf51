// Where and when a benchmark ran: what a reader needs to judge its figures.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type as systemType } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RuntimeName } from './targets.ts'

export interface Machine {
  readonly date: string
  readonly commit: string
  readonly system: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  /** The runtimes' own versions, and those of libraries that stand between them and the router. */
  readonly versions: Readonly<Record<string, string>>
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** Packages whose versions matter, by runtime. */
const PACKAGES = {
  workerd: ['miniflare', 'workerd', 'hono'],
  node: ['@hono/node-server', 'undici', 'hono'],
  bun: ['bun', 'hono'],
  deno: ['deno', 'hono'],
} as const satisfies Record<RuntimeName, readonly string[]>

export function describeMachine(...runtimes: readonly RuntimeName[]): Machine {
  const packages = new Set(runtimes.flatMap((runtime): readonly string[] => PACKAGES[runtime]))
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    commit: describeCommit(),
    system: `${systemType()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    versions: {
      node: process.versions.node,
      ...Object.fromEntries(Array.from(packages, (name) => [name, versionOf(name)])),
    },
  }
}

function describeCommit(): string {
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD')
    const isDirty = git('status', '--porcelain', '--', 'src', 'bin', 'package-lock.json') !== ''
    return isDirty ? `${commit} with uncommitted changes` : commit
  } catch {
    // An unpacked archive has no history to name.
    return 'unknown'
  }
}

function git(...args: readonly string[]): string {
  // Others may be working in this checkout: take no locks.
  return execFileSync('git', ['--no-optional-locks', ...args], { cwd: root, encoding: 'utf8' }).trim()
}

function versionOf(name: string): string {
  try {
    const text = readFileSync(`${root}node_modules/${name}/package.json`, 'utf8')
    const { version }: { version: string } = JSON.parse(text)
    return version
  } catch {
    // Not installed here, as a package of another platform.
    return 'unknown'
  }
}

/** The lines that every page begins with. */
export function machineLines({ date, commit, cores, cpu, memoryGb, system, versions }: Machine): readonly string[] {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [`${date}, commit ${commit}`, `${cores} cores of ${cpu}, ${memoryGb} GiB, ${system}; ${named.join(', ')}`]
}
