// `npm run bench:scale`: how calls to objects grow with requests and isolates (in virtual time), what that costs, and what large
// fleets and many streams cost a real process. Writes docs/bench/scale.md.

import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { textTable, writePage } from '../pages.ts'
import { RUNTIMES } from '../targets.ts'
import { type CoordinationFigures, simulate } from './coordination.ts'
import { benchIsolates, benchLargeFleet, benchStreams, benchWorkerdCpu } from './over-http.ts'
import { COORDINATION_HEAD, coordinationRow, type ScaleResults, toPage } from './page.ts'
import { DEFAULT_COUNTS, MAX_CALLS_PER_SECOND, type ObjectCounts, objectCountsFor } from './rule.ts'

const HELP = `npm run bench:scale -- [options]: Durable Object calls by requests and isolates, costs, large fleets, many streams

  --only simulation   the part in virtual time; writes nothing
  --runtime NAMES     of the parts with real processes (default: ${RUNTIMES.join(',')})
  --quick             small numbers, to see that it works; writes nothing
`

/** Requests a second and isolates. */
const DEPLOYMENTS: readonly (readonly [number, number])[] = [
  [100, 8],
  [1_000, 8],
  [1_000, 64],
  [10_000, 64],
  [10_000, 1_024],
  [100_000, 128],
  [100_000, 1_024],
]
const QUICK_DEPLOYMENTS: readonly (readonly [number, number])[] = [
  [100, 8],
  [1_000, 64],
]

const STORED_SHARE = 0.05

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runtime: { type: 'string', default: RUNTIMES.join(',') },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function byTheRule(requestsPerSecond: number, isolates: number): ObjectCounts {
  return objectCountsFor({ requestsPerSecond, isolates, keyedPerSecond: requestsPerSecond * STORED_SHARE })
}

async function simulateAll(
  countsFor: (requestsPerSecond: number, isolates: number) => ObjectCounts,
): Promise<readonly CoordinationFigures[]> {
  const all: CoordinationFigures[] = []
  for (const [requestsPerSecond, isolates] of values.quick ? QUICK_DEPLOYMENTS : DEPLOYMENTS) {
    const counts = countsFor(requestsPerSecond, isolates)
    const figures = await simulate({ requestsPerSecond, isolates, counts, storedShare: STORED_SHARE }, 3_000)
    process.stdout.write(`${coordinationRow(figures).join('  ')}\n`)
    if (figures.complaints.length > 0) process.stderr.write(`${figures.complaints.join('\n')}\n`)
    all.push(figures)
  }
  return all
}

async function measureProcesses(): Promise<
  Pick<ScaleResults, 'workerdCpuMs' | 'largeFleets' | 'streams' | 'isolates'>
> {
  const rounds = values.quick ? { rounds: 1, seconds: 0.5 } : { rounds: 5, seconds: 2 }
  const runtimes = RUNTIMES.filter((name) => values.runtime.split(',').includes(name))
  const largeFleets = []
  const streams = []
  for (const runtime of runtimes) {
    process.stderr.write(`${runtime}: a large fleet, many streams\n`)
    largeFleets.push(await benchLargeFleet(runtime, rounds))
    streams.push(await benchStreams(runtime, rounds))
  }
  return {
    workerdCpuMs: await benchWorkerdCpu(rounds),
    largeFleets,
    streams,
    isolates: await benchIsolates(8, values.quick ? 50 : 500),
  }
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const machine = describeMachine(...RUNTIMES)
  process.stdout.write(`${textTable(COORDINATION_HEAD, [])}\n`)
  const byDefault = await simulateAll(() => DEFAULT_COUNTS)
  process.stdout.write('by the rule\n')
  const byRule = await simulateAll(byTheRule)
  const isMet = byRule.every(({ busiest, failedShare }) => busiest <= MAX_CALLS_PER_SECOND && failedShare === 0)
  if (values.only !== 'simulation') {
    const page = toPage({ machine, byDefault, byRule, ...(await measureProcesses()) })
    if (values.quick) process.stdout.write(page)
    else process.stderr.write(`${writePage('scale.md', page)} written\n`)
  }
  if (!isMet)
    process.stderr.write(`bench:scale: under the rule an object has more than ${MAX_CALLS_PER_SECOND} calls/s\n`)
  return isMet ? 0 : 1
}

process.exitCode = await main()
