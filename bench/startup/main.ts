// `npm run bench:startup`: time to the first answered request on each runtime, and the Worker's CPU before it. Writes
// docs/bench/startup.md.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine, machineLines } from '../machine.ts'
import { markdownTable, type Row, spreadText, textTable, writePage } from '../pages.ts'
import { freePort, startPartner } from '../processes.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import { launcher, RUNTIMES, type RuntimeName } from '../targets.ts'
import { type FirstAnswer, type StartCommand, timeFirstAnswer } from './first-answer.ts'
import { installInto } from './installed.ts'
import { workerStartCpuMs } from './worker-cpu.ts'

const HELP = `npm run bench:startup -- [options]: time from start to the first answered chat, router and pass-through in turn

  --runtime NAMES   ${RUNTIMES.join(' | ')}, comma-separated (default: all)
  --rounds N        (default: 7)
  --quick           one round; writes nothing
`

/** Design, section 5. */
const MAX_START_CPU_MS = 50

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: RUNTIMES.join(',') },
    rounds: { type: 'string', default: '7' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const HEAD: Row = ['', 'ms to the first answer', 'CPU ms until then']

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

interface Bench {
  readonly upstreamPort: number
  readonly config: string
  /** The installed router's command. */
  readonly bin: string
}

async function commandsOf(
  runtime: RuntimeName,
  { upstreamPort, config, bin }: Bench,
): Promise<Readonly<Record<string, StartCommand>>> {
  const { program, leading } = launcher(runtime, null)
  const [port, barePort] = [await freePort(), await freePort()]
  const trailing = runtime === 'workerd' ? ['--runtime', 'workerd', '--direct'] : []
  const serve = [...leading, bin, 'serve', '--config', config, '--port', String(port), ...trailing]
  const bare = [file(`../pass-through/${runtime}.js`), String(barePort), `http://127.0.0.1:${upstreamPort}`]
  const router = { program, args: serve, port }
  return {
    [`${runtime} pass-through`]: { program, args: [...leading, ...bare], port: barePort },
    [`${runtime} router`]: router,
    ...(runtime === 'node'
      ? { 'node router, nothing kept': { ...router, variables: { NODE_DISABLE_COMPILE_CACHE: '1' } } }
      : {}),
  }
}

async function measureStarts(runtimes: readonly RuntimeName[], rounds: number): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'vllm-edge-router-startup-'))
  const upstream = startPartner('upstream/main.ts')
  const starts = new Map<string, FirstAnswer[]>()
  try {
    const [upstreamPort = 0] = await upstream.ask<readonly number[]>(1)
    const config = join(directory, 'config.yaml')
    writeFileSync(config, `workers: [{ url: "http://127.0.0.1:${upstreamPort}" }]\n`)
    const bench = { upstreamPort, config, bin: installInto(directory) }
    // The first is not counted: it leaves what the next ones find.
    for (let round = -1; round < rounds; round += 1) {
      for (const runtime of runtimes) {
        for (const [name, command] of Object.entries(await commandsOf(runtime, bench))) {
          const answer = await timeFirstAnswer(command)
          if (round >= 0) starts.set(name, [...(starts.get(name) ?? []), answer])
        }
      }
    }
  } finally {
    await upstream.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  const spread = (all: readonly FirstAnswer[], of: (one: FirstAnswer) => number) => spreadText(spreadOf(all.map(of)), 0)
  return Array.from(starts, ([name, all]) => [name, spread(all, ({ ms }) => ms), spread(all, ({ cpuMs }) => cpuMs)])
}

async function measureWorker(rounds: number): Promise<Spread> {
  const costs: number[] = []
  for (let round = 0; round < rounds; round += 1) costs.push(await workerStartCpuMs())
  return spreadOf(costs)
}

function toPage(rows: readonly Row[], worker: Spread, rounds: number): string {
  const isMet = worker.min <= MAX_START_CPU_MS
  return [
    '# Start-up',
    '',
    `Written by \`npm run bench:startup\`. Medians of ${rounds} rounds, in brackets how far they lie apart.`,
    '',
    ...machineLines(describeMachine(...RUNTIMES)).map((line) => `- ${line}`),
    '',
    'From the start of the program until it has answered a chat: the router has read its configuration and asked its worker by then. The router is the',
    'package as npm installs it. On workerd the program starts workerd first; deployed it does not. Node keeps what it has compiled for the next start;',
    'with nothing kept, as in a container that was never started, it takes as long as the row of that name.',
    '',
    markdownTable(HEAD, rows),
    '',
    '## CPU of the Worker before its first request',
    '',
    `${spreadText(worker, 0)} ms, of the bundle as it is deployed, profiled by \`wrangler check startup\` in this machine's workerd, garbage collection and`,
    `the profiler itself included. At most ${MAX_START_CPU_MS} ms: ${isMet ? 'met' : '**NOT MET**'} by the least of the rounds. Its size has a budget in \`test/scripts/deploy.test.ts\`.`,
    '',
  ].join('\n')
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(HELP)
  const rounds = values.quick ? 1 : Number(values.rounds)
  const names = values.runtime.split(',')
  const rows = await measureStarts(
    RUNTIMES.filter((name) => names.includes(name)),
    rounds,
  )
  const worker = await measureWorker(rounds)
  process.stdout.write(
    `${textTable(HEAD, rows)}\nthe Worker before its first request: ${spreadText(worker, 0)} ms of CPU\n`,
  )
  if (!values.quick) process.stderr.write(`${writePage('startup.md', toPage(rows, worker, rounds))} written\n`)
}

await main()
