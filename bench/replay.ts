// `node bench/replay.ts [RECORDS]`: how fast a log is replayed, from bytes to the report, and how much memory it takes. The
// goal is 30,000 records a second on one core, for round robin with records of about 1.5 KB.

import { DEFAULT_PREFIX_CACHE } from '../src/replay/prefix-cache.ts'
import { Replay } from '../src/replay/replay.ts'
import { runReplay } from '../src/cli/replay-run.ts'
import { BUILT_IN_POLICIES } from '../src/routing/policies/index.ts'
import { fromViewDocument, toViewDocument } from '../src/record/view-document.ts'
import { candidateOf, inputOf, viewOf } from '../test/conformance/policy.ts'
import { configOf } from '../test/support/decided-log.ts'
import { answered, decidedExchange, recordOf } from '../test/support/recorded-exchange.ts'

const RECORDS = Number(process.argv[2] ?? 200_000)
const PART_RECORDS = 1_000
const MODEL = 'meta-llama/Llama-3.1-8B-Instruct'

const definition = BUILT_IN_POLICIES.get('round_robin')
if (definition === undefined) throw new Error('no policy round_robin')
const policy = definition.create(definition.options.parse({}))
const workers = Array.from({ length: 8 }, (_, at) =>
  candidateOf(`http://10.0.0.${at + 1}:8000`, { models: new Set([MODEL]) }),
)
const document = fromViewDocument(toViewDocument({ candidates: workers }))

/** Lines that differ as those of real requests do. */
const lines = Array.from({ length: PART_RECORDS }, (_, turn) => {
  const candidates = workers.map((worker, at) => {
    const scraped = { running: 12 + ((turn + at) % 9), waiting: at % 2, ours: 11 + at, ageMs: 1_000, kvUsage: 0.3127 }
    return {
      ...worker,
      inFlightHere: (turn + at) % 7,
      inFlightElsewhere: 9 + at,
      scraped: at % 2 === 0 ? scraped : null,
    }
  })
  const input = inputOf({ model: MODEL, ticket: 184_223 + turn })
  return JSON.stringify(
    recordOf(answered(decidedExchange({ input, policy, view: viewOf(candidates, 812), seed: turn }))),
  )
})
const part = new TextEncoder().encode(`${lines.join('\n')}\n`)
const yaml = (chosen: string) =>
  `workers:\n${workers.map(({ id }) => `  - {url: "${id}", models: ["${MODEL}"]}\n`).join('')}policy: ${chosen}\n`

async function measure(policies: readonly string[]): Promise<void> {
  const configs = await Promise.all(policies.map(async (name) => ({ name, config: await configOf(yaml(name)) })))
  const begin = process.cpuUsage()
  const output = await runReplay({
    files: {
      bytes: null,
      async *parts() {
        for (let at = 0; at < RECORDS; at += PART_RECORDS) yield { name: 'made up', bytes: part }
      },
      findView: async () => document,
    },
    replay: new Replay({ configs, against: null, by: null, prefixCache: DEFAULT_PREFIX_CACHE }),
    onProgress() {},
  })
  const { user, system } = process.cpuUsage(begin)
  const perSecond = Math.round(output.lines.read / ((user + system) / 1_000_000)).toLocaleString('en')
  const megabytes = Math.round(process.memoryUsage().rss / 1_048_576)
  process.stdout.write(`${policies.join(', ').padEnd(50)}${perSecond.padStart(9)} a second of CPU, ${megabytes} MB\n`)
}

process.stdout.write(`${RECORDS.toLocaleString('en')} records of ${Math.round(part.length / PART_RECORDS)} bytes\n\n`)
for (const policies of [
  ['round_robin'],
  ['power_of_two'],
  ['consistent_hash'],
  ['round_robin', 'power_of_two', 'random'],
]) {
  await measure(policies)
}
