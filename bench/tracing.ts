// `node bench/tracing.ts`: what tracing costs a chat of 2 KB in process, against a build without its code. Rounds of all
// variants alternate, so that a machine that is busy is busy for all of them; CPU time, not the clock. `--instructions`
// counts instead, by callgrind: ten minutes, and runs differ by some 2 %.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { medianOf } from './statistics.ts'
import type { Subject } from './tracing-subject.ts'
import { bundleTo } from './without-tracing.ts'

interface Variant {
  readonly name: string
  readonly hasTracing: boolean
  readonly settings: string
  /** How much more than the variant before it is measured against it may cost, in percent; null for no goal. */
  readonly against: string | null
  readonly goal: number | null
}

const on = (settings: string) => `trace_config: { otlp_traces_endpoint: 'http://127.0.0.1:4318', ${settings} }\n`

const VARIANTS: readonly Variant[] = [
  { name: 'without the code', hasTracing: false, settings: '', against: null, goal: null },
  { name: 'off', hasTracing: true, settings: '', against: 'without the code', goal: 1 },
  // How far two that are the same come apart on this machine.
  { name: 'off, once more', hasTracing: true, settings: '', against: 'off', goal: null },
  { name: 'on at 0', hasTracing: true, settings: on('sampling_ratio: 0'), against: 'off', goal: null },
  { name: 'on at 0.01', hasTracing: true, settings: on('sampling_ratio: 0.01'), against: 'off', goal: 3 },
  {
    name: 'on at 0.01, export_errors',
    hasTracing: true,
    settings: on('sampling_ratio: 0.01, export_errors: true'),
    against: 'off',
    goal: null,
  },
  { name: 'on at 1', hasTracing: true, settings: on('sampling_ratio: 1'), against: 'off', goal: null },
]

const COUNTED_CHATS = 200

/**
 * One thread, the same seeds, no garbage to collect, and no code that is made on the way: what is optimised when differs
 * from run to run by more than what is looked for. Interpreted, scripts weigh more beside what is built in.
 */
const STEADY: readonly string[] = [
  '--single-threaded',
  '--predictable',
  '--hash-seed=1',
  '--random-seed=1',
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    calls: { type: 'string', default: '20' },
    instructions: { type: 'boolean', default: false },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'tracing-bench-'))
try {
  const entry = fileURLToPath(new URL('tracing-subject.ts', import.meta.url))
  const fileOf = ({ hasTracing }: Variant) => join(folder, hasTracing ? 'with.mjs' : 'without.mjs')
  for (const variant of VARIANTS) await bundleTo(fileOf(variant), entry, variant)
  const measure = values.instructions ? countInstructions : timeRounds
  print(await measure((variant) => fileOf(variant)))
} finally {
  rmSync(folder, { recursive: true })
}
process.exit(0)

/** Cost by variant and round. */
type Costs = ReadonlyMap<string, readonly number[]>

async function timeRounds(fileOf: (variant: Variant) => string): Promise<Costs> {
  const calls = Number(values.calls)
  const subjects = new Map<string, Subject>()
  for (const variant of VARIANTS) {
    // A module of its own: code that several variants share would be optimised for all of them at once.
    const url = `${pathToFileURL(fileOf(variant)).href}?${encodeURIComponent(variant.name)}`
    const { openSubject }: typeof import('./tracing-subject.ts') = await import(url)
    subjects.set(variant.name, await openSubject(variant.settings))
  }
  const costs = new Map<string, number[]>(VARIANTS.map(({ name }) => [name, []]))
  const warmUp = 150
  for (let round = -warmUp; round < Number(values.rounds); round += 1) {
    // Each goes first in turn: what one leaves to the garbage collector another pays for.
    const names = [...subjects.keys()]
    const turn = (round + warmUp) % names.length
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const before = process.cpuUsage()
      for (let call = 0; call < calls; call += 1) await subjects.get(name)?.call()
      const { user, system } = process.cpuUsage(before)
      if (round >= 0) costs.get(name)?.push((user + system) / calls)
    }
  }
  return costs
}

async function countInstructions(fileOf: (variant: Variant) => string): Promise<Costs> {
  const counts = new Map<string, number[]>()
  for (const variant of VARIANTS) {
    const thousands = (await instructionsOf(fileOf(variant), variant.settings)) / COUNTED_CHATS / 1_000
    counts.set(variant.name, [thousands])
  }
  return counts
}

/** Those of one process, from when it is warm to its end. */
async function instructionsOf(file: string, settings: string): Promise<number> {
  const child = spawn(
    'valgrind',
    [
      '--tool=callgrind',
      '--instr-atstart=no',
      '--callgrind-out-file=/dev/null',
      process.execPath,
      ...STEADY,
      file,
      `--chats=${COUNTED_CHATS}`,
      `--settings=${settings}`,
    ],
    { stdio: 'pipe' },
  )
  let said = ''
  child.stderr.on('data', (part: Buffer) => (said += part.toString()))
  await once(child.stdout, 'data')
  spawnSync('callgrind_control', ['--instr=on', String(child.pid)])
  child.stdin.end('go\n')
  await once(child, 'exit')
  const count = /Collected\s*:\s*(\d+)/.exec(said)?.[1]
  if (count === undefined) throw new Error(`valgrind counted nothing; is it installed?\n${said}`)
  return Number(count)
}

function print(costs: Costs): void {
  const unit = values.instructions ? '1,000 instructions' : 'CPU microseconds'
  process.stdout.write(`${unit} per chat of 2 KB; ratios are medians over rounds\n\n`)
  for (const { name, against, goal } of VARIANTS) {
    const own = costs.get(name) ?? []
    const other = against === null ? null : (costs.get(against) ?? [])
    const percent = other === null ? null : (medianOf(own.map((cost, round) => cost / (other[round] ?? 0))) - 1) * 100
    const ratio = percent === null ? '' : `${percent.toFixed(1).padStart(8)} % more than ${against}`
    const verdict = percent === null || goal === null ? '' : `   ${percent < goal ? 'met' : 'NOT MET'} (${goal} %)`
    process.stdout.write(`${name.padEnd(28)}${medianOf(own).toFixed(1).padStart(8)}${ratio}${verdict}\n`)
  }
}
