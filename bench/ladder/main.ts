// `npm run bench:ladder`: what each step that a router can't do without costs on a runtime, between its bare pass-through
// and the router. Writes docs/bench/ladder.md.

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Comparison, compare, type Contender } from '../compare.ts'
import type { LoadName } from '../loads.ts'
import { describeMachine, machineLines } from '../machine.ts'
import { markdownTable, type Row, spreadText, textTable, writePage } from '../pages.ts'
import { freePort, StartedParts, startPartner, startServerProcess } from '../processes.ts'
import { launcher, PLAIN, startTarget, type Target } from '../targets.ts'
import { STEPS } from './steps.js'

const RUNTIMES = ['workerd', 'bun', 'deno'] as const

type LadderRuntime = (typeof RUNTIMES)[number]

const HELP = `npm run bench:ladder -- [options]: a pass-through that does more and more of what a router must, then the router

  --runtime NAMES     ${RUNTIMES.join(' | ')}, comma-separated (default: all)
  --load NAME         chat-2kb | sse | ... (default: chat-2kb)
  --connections N     (default: 32)
  --rounds N          (default: 5)
  --seconds S         of each step in each round (default: 1.5)
  --warm-up S         of each step (default: 4)
  --quick             one short round; writes nothing
`

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: RUNTIMES.join(',') },
    load: { type: 'string', default: 'chat-2kb' },
    connections: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    'warm-up': { type: 'string', default: '4' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const HEAD: Row = ['', 'CPU ms a request', 'CPU, bare = 1', 'requests/s, bare = 1', 'CPU ms more than the step before']

const BARE = 'bare pass-through'

const ROUTER = 'the router with its defaults'

const started = new StartedParts()

async function startStep(runtime: LadderRuntime, count: number, upstreamPort: number): Promise<Target> {
  const port = await freePort()
  const { program, leading } = launcher(runtime, null)
  const path = fileURLToPath(new URL(`${runtime}.js`, import.meta.url))
  const server = await startServerProcess({
    program,
    args: [...leading, path, String(port), `http://127.0.0.1:${upstreamPort}`, String(count)],
    port,
    readyPath: '/v1/models',
  })
  return { ...PLAIN, ...server, name: nameOf(count), port }
}

const nameOf = (count: number) => (count === 0 ? BARE : `${count}. ${STEPS[count - 1]}`)

async function climb(runtime: LadderRuntime): Promise<Comparison> {
  process.stderr.write(`${runtime}\n`)
  try {
    const upstreamProcess = started.keep(startPartner('upstream/main.ts'))
    const upstreamPorts = await upstreamProcess.ask<readonly number[]>(4)
    const [upstreamPort = 0] = upstreamPorts
    const bare = started.keep(await startStep(runtime, 0, upstreamPort))
    const contenders: Contender[] = [{ target: bare, baseline: null }]
    for (const count of STEPS.keys()) {
      contenders.push({ target: started.keep(await startStep(runtime, count + 1, upstreamPort)), baseline: bare })
    }
    const options = { runtime, upstreamPorts, profileDirectory: null, extraConfig: '' }
    const router = started.keep(await startTarget('router', options))
    contenders.push({ target: { ...router, name: ROUTER }, baseline: bare })
    const upstream = { ...PLAIN, ...upstreamProcess, name: 'straight to upstream', port: upstreamPort }
    return await compare(
      { generator: started.keep(startPartner('generator/main.ts')), upstream, contenders },
      {
        // A name that is none fails where the load is looked up.
        load: values.load as LoadName,
        connections: Number(values.connections),
        rate: null,
        rounds: values.quick ? 1 : Number(values.rounds),
        seconds: values.quick ? 0.3 : Number(values.seconds),
        warmUpSeconds: values.quick ? 0.3 : Number(values['warm-up']),
      },
    )
  } finally {
    await started.stop()
  }
}

function rowsOf({ targets, ratios }: Comparison): readonly Row[] {
  const steps = targets.filter(({ isUpstream }) => !isUpstream)
  return steps.map(({ name, cpuSecondsPer1000 }, at) => {
    const ratio = ratios.find((candidate) => candidate.name === name)
    const before = steps[at - 1]
    return [
      name,
      cpuSecondsPer1000.toFixed(3),
      ratio === undefined ? '1' : spreadText(ratio.cpu, 2),
      ratio === undefined ? '1' : spreadText(ratio.requestsPerSecond, 2),
      before === undefined ? '' : (cpuSecondsPer1000 - before.cpuSecondsPer1000).toFixed(3),
    ]
  })
}

function toPage(climbed: ReadonlyMap<LadderRuntime, Comparison>): string {
  const blocks = Array.from(climbed, ([runtime, comparison]) =>
    [`## ${runtime}`, '', markdownTable(HEAD, rowsOf(comparison)), ''].join('\n'),
  )
  return [
    '# What a runtime charges for each step of a router',
    '',
    `Written by \`npm run bench:ladder\`. Load: ${values.load} over ${values.connections} connections, ${values.rounds} alternating rounds of ${values.seconds} s; medians, in`,
    'brackets how far rounds lie apart. Each step does what those before it do and one thing more, in as few lines of plain Web standards as it',
    'takes (`bench/ladder/steps.js`): no decision, no retries, no record, no metrics. What separates the highest step from the router is the',
    "router's own; what separates it from the bare pass-through is the runtime's, and no router on it that does these things can be faster.",
    '',
    ...machineLines(describeMachine(...climbed.keys())).map((line) => `- ${line}`),
    '',
    ...blocks,
  ].join('\n')
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(HELP)
  const wanted = values.runtime.split(',')
  const climbed = new Map<LadderRuntime, Comparison>()
  for (const runtime of RUNTIMES) {
    if (!wanted.includes(runtime)) continue
    const comparison = await climb(runtime)
    climbed.set(runtime, comparison)
    process.stdout.write(`${runtime}\n${textTable(HEAD, rowsOf(comparison))}\n\n`)
  }
  if (!values.quick) process.stderr.write(`${writePage('ladder.md', toPage(climbed))} written\n`)
}

await main()
