// How fast a log is replayed, from bytes to the report, and how much memory it takes.

import { runReplay } from '../../src/cli/replay-run.ts'
import { DEFAULT_PREFIX_CACHE } from '../../src/replay/prefix-cache.ts'
import { Replay } from '../../src/replay/replay.ts'
import { configOf } from '../../test/support/decided-log.ts'
import { exchangesOf, linesOf, RECORDED_MODEL, recordedView, recordedWorkers } from './records.ts'
import type { BenchTable } from './table.ts'

const PART_RECORDS = 1_000

/** Of one policy that has nothing to compare, with records of about 1.5 KB. */
const GOAL_PER_SECOND = 30_000

const POLICIES: readonly (readonly string[])[] = [
  ['round_robin'],
  ['power_of_two'],
  ['consistent_hash'],
  ['round_robin', 'power_of_two', 'random'],
]

export async function benchReplay(records: number): Promise<BenchTable> {
  const lines = linesOf(exchangesOf(PART_RECORDS))
  const part = new TextEncoder().encode(`${lines.join('\n')}\n`)
  const rows: string[][] = []
  const rates: number[] = []
  for (const policies of POLICIES) {
    const { perSecond, megabytes } = await replayOnce(policies, part, records)
    rates.push(perSecond)
    rows.push([policies.map((name) => `\`${name}\``).join(', '), perSecond.toLocaleString('en'), String(megabytes)])
  }
  const [first = Number.NaN] = rates
  return {
    title: 'Replay, records a second of CPU',
    about: `${records.toLocaleString('en')} records of ${Math.round(part.length / PART_RECORDS)} bytes, reading included, once each.`,
    head: ['replayed under', 'records/s', 'RSS MiB'],
    rows,
    goals: [
      {
        what: `round_robin: ${first.toLocaleString('en')} a second, at least ${GOAL_PER_SECOND.toLocaleString('en')}`,
        isMet: first >= GOAL_PER_SECOND,
      },
    ],
  }
}

async function replayOnce(policies: readonly string[], part: Uint8Array, records: number) {
  const configs = await Promise.all(policies.map(async (name) => ({ name, config: await configOf(yamlOf(name)) })))
  const begin = process.cpuUsage()
  const output = await runReplay({
    files: {
      bytes: null,
      async *parts() {
        for (let at = 0; at < records; at += PART_RECORDS) yield { name: 'made up', bytes: part }
      },
      findView: async () => recordedView,
    },
    replay: new Replay({ configs, against: null, by: null, prefixCache: DEFAULT_PREFIX_CACHE }),
    onProgress() {},
  })
  const { user, system } = process.cpuUsage(begin)
  return {
    perSecond: Math.round(output.lines.read / ((user + system) / 1_000_000)),
    megabytes: Math.round(process.memoryUsage().rss / 1_048_576),
  }
}

function yamlOf(policy: string): string {
  const workers = recordedWorkers.map(({ id }) => `  - {url: "${id}", models: ["${RECORDED_MODEL}"]}\n`).join('')
  return `workers:\n${workers}policy: ${policy}\n`
}
