// `npm run bench`: the router against a bare pass-through of the same runtime, in alternating rounds of one run.

import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Comparison, compare } from './compare.ts'
import { describeMachine } from './machine.ts'
import { type BenchOptions, HELP, parseOptions } from './options.ts'
import { cpuSecondsOf, machineBusySeconds } from './proc.ts'
import { type Running, startPartner } from './processes.ts'
import { type RuntimeReport, toMarkdown, toText } from './report.ts'
import { type RuntimeName, startPassThrough, startRouter, type TargetOptions } from './targets.ts'

/** More wrong, broken or refused answers than this and the figures mean nothing. */
const MAX_FAILED_SHARE = 0.01

const running: Running[] = []

async function stopAll(): Promise<void> {
  for (const part of running.splice(0).toReversed()) await part.stop()
}

function keep<Part extends Running>(part: Part): Part {
  running.push(part)
  return part
}

async function benchRuntime(runtime: RuntimeName, options: BenchOptions): Promise<RuntimeReport> {
  const before = { atMs: performance.now(), machine: machineBusySeconds(), ours: cpuSecondsOf(process.pid) }
  // Now, not at the end: what is measured is the code that the processes below start with.
  const machine = describeMachine(runtime)
  const upstreamProcess = keep(startPartner('upstream/main.ts'))
  const upstreamPorts = await upstreamProcess.ask<readonly number[]>(options.workers)
  const upstream = { ...upstreamProcess, name: 'straight to upstream', port: upstreamPorts[0] ?? 0 }
  const { profileDirectory, extraConfig } = options
  const targetOptions: TargetOptions = { runtime, upstreamPorts, profileDirectory, extraConfig }
  const passThrough = keep(await startPassThrough(targetOptions))
  const router = keep(await startRouter(targetOptions))
  const generator = keep(startPartner('generator/main.ts'))
  const comparisons: Comparison[] = []
  for (const load of options.loads) {
    for (const connections of options.concurrencies) {
      const { rounds, seconds, warmUpSeconds } = options
      const plan = { load, connections, rounds, seconds, warmUpSeconds }
      comparisons.push(await compare({ generator, upstream, passThrough, router }, plan))
    }
  }
  await stopAll()
  const ours = cpuSecondsOf(process.pid) - before.ours
  const others = machineBusySeconds() - before.machine - ours
  const capacity = ((performance.now() - before.atMs) / 1_000) * availableParallelism()
  return {
    runtime,
    machine,
    workers: options.workers,
    othersShare: Math.max(0, others / capacity),
    comparisons,
  }
}

function write(report: RuntimeReport): void {
  const directory = fileURLToPath(new URL('../docs/bench/', import.meta.url))
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}${report.runtime}.md`, toMarkdown(report))
}

function hasFailed({ comparisons }: RuntimeReport): boolean {
  const figures = comparisons.flatMap(({ targets }) => targets)
  // NaN when nothing was answered at all.
  return figures.some(({ refusedShare, failedShare }) => !(refusedShare + failedShare <= MAX_FAILED_SHARE))
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  const reports: RuntimeReport[] = []
  for (const runtime of options.runtimes) {
    const report = await benchRuntime(runtime, options)
    reports.push(report)
    if (options.writes) write(report)
    if (!options.isJson) process.stdout.write(`${toText(report)}\n`)
  }
  if (options.isJson) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  return reports.some(hasFailed) ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopAll().then(() => process.exit(1)))

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
} finally {
  await stopAll()
}
