// `npm run soak`: mixed load and trouble for half an hour, on workerd and Node unless told. Writes docs/bench/soak.md.

import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { RUNTIMES } from '../targets.ts'
import { complaintsAbout } from './judge.ts'
import { writeSoakPage } from './page.ts'
import { runSoak } from './soak.ts'

const HELP = `npm run soak -- [options]: a router under mixed load, aborts, deaths, drains and reloads

  --minutes N       how long (default: 30); a page is written from 5 minutes on
  --runtime NAMES   ${RUNTIMES.join(' | ')}, comma-separated, one after the other (default: workerd,node)
  --rate N          requests a second (default: 40)
`

/** Memory of a run this long has settled; before, nothing is said of its slope. */
const SLOPE_MINUTES = 10
const MAX_MEMORY_SLOPE = 1

const PAGE_MINUTES = 5

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    runtime: { type: 'string', default: 'workerd,node' },
    rate: { type: 'string', default: '40' },
    help: { type: 'boolean', default: false },
  },
})

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)]
  if (!(minutes > 0 && rate > 0)) throw new Error('--minutes and --rate are numbers above zero')
  const names = values.runtime.split(',')
  const runtimes = RUNTIMES.filter((name) => names.includes(name))
  if (runtimes.length !== names.length) throw new Error(`--runtime is any of ${RUNTIMES.join(', ')}`)
  const results = []
  for (const runtime of runtimes) {
    const machine = describeMachine(runtime)
    const report = await runSoak({
      runtime,
      seconds: minutes * 60,
      requestsPerSecond: rate,
      troubleEverySeconds: Math.min(10, (minutes * 60) / 12),
      onSample: ({ atSeconds, memoryMb, fileDescriptors, inFlight }) =>
        process.stderr.write(
          `${runtime} ${atSeconds.toFixed(0)} s: ${memoryMb.toFixed(0)} MiB, ${fileDescriptors} descriptors, ${inFlight} in flight\n`,
        ),
    })
    const complaints = complaintsAbout(report, minutes >= SLOPE_MINUTES ? MAX_MEMORY_SLOPE : null)
    const { samples: _, ...told } = report
    process.stdout.write(`${JSON.stringify({ ...told, complaints }, null, 1)}\n`)
    results.push([report, machine, complaints] as const)
  }
  if (minutes >= PAGE_MINUTES) process.stderr.write(`${writeSoakPage(results)} written\n`)
  return results.some(([, , complaints]) => complaints.length > 0) ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
