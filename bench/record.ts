// `node bench/record.ts`: what a decision record costs. Writing one after an answer, and reading and deciding on it again
// as a replay does, line after line: that must manage 30,000 lines a second on one core with records of about 1.5 KB.

import { decide } from '../src/routing/decide.ts'
import { BUILT_IN_POLICIES } from '../src/routing/policies/index.ts'
import { toDecisionInput, toFleetView } from '../src/record/fleet-view.ts'
import { readRecord } from '../src/record/read-record.ts'
import { createViewDocuments, fromViewDocument, toViewDocument } from '../src/record/view-document.ts'
import { candidateOf, inputOf, viewOf } from '../test/conformance/policy.ts'
import { answered, decidedExchange, recordOf } from '../test/support/recorded-exchange.ts'
import { toRecord } from '../src/pipeline/record.ts'
import { measureMicroseconds } from './in-process.ts'

const GOAL_LINES_PER_SECOND = 30_000

const MODEL = 'meta-llama/Llama-3.1-8B-Instruct'
const definition = BUILT_IN_POLICIES.get('round_robin')
if (definition === undefined) throw new Error('no policy round_robin')
const policy = definition.create(definition.options.parse({}))

/** Eight workers whose metrics are known, and a thousand requests that differ as real ones do. */
const fleet = Array.from({ length: 8 }, (_, at) => ({
  worker: candidateOf(`http://10.0.0.${at + 1}:8000`, { models: new Set([MODEL]) }),
  load: { inFlightHere: 3 + (at % 4), inFlightElsewhere: 9 + at },
}))
const exchanges = Array.from({ length: 1_000 }, (_, turn) => {
  const candidates = fleet.map(({ worker, load }, at) => {
    const scraped = {
      running: 12 + ((turn + at) % 9),
      waiting: at % 2,
      ours: 11 + at,
      ageMs: 1_000 + at * 317,
      kvUsage: 0.3127,
    }
    return { ...worker, ...load, inFlightHere: (turn + at) % 7, scraped }
  })
  const input = inputOf({ model: MODEL, ticket: 184_223 + turn })
  return answered(decidedExchange({ input, policy, view: viewOf(candidates, 812), seed: 2_734_992_348 + turn }))
})
const lines = exchanges.map((exchange) => JSON.stringify(recordOf(exchange)))
const known = fromViewDocument(toViewDocument({ candidates: fleet.map(({ worker }) => worker) }))
const documents = createViewDocuments()

let turn = 0
/** The next of a list, round and round. */
function next<Item>(list: readonly Item[]): Item {
  turn += 1
  const item = list[turn % list.length]
  if (item === undefined) throw new Error('an empty list')
  return item
}

function readOrThrow(line: string) {
  const read = readRecord(line)
  if (read.kind !== 'record') throw new Error(JSON.stringify(read))
  return read.record
}

function replay(line: string): void {
  const record = readOrThrow(line)
  const rebuilt = toFleetView(record, { document: known, configured: null })
  if (rebuilt.kind !== 'view') throw new Error(rebuilt.why)
  const decision = decide(toDecisionInput(record), { policy }, rebuilt.view, record.seed ?? 0)
  if (decision.chosen?.id !== record.worker) throw new Error(`${decision.chosen?.id} is not ${record.worker}`)
}

const end = { status: 200, streamEnd: 'complete', errorCode: null, atMs: Date.now() } as const

const tasks: readonly (readonly [string, () => void])[] = [
  [
    'toRecord, its view document looked up',
    () => {
      const exchange = next(exchanges)
      const { view_hash: viewHash } = documents.of(exchange.trace?.view ?? { candidates: [] })
      toRecord(exchange, 'd', { ...end, viewHash })
    },
  ],
  [
    'toRecord, and JSON.stringify',
    () => void JSON.stringify(toRecord(next(exchanges), 'd', { ...end, viewHash: null })),
  ],
  ['JSON.parse alone', () => void JSON.parse(next(lines))],
  ['readRecord', () => void readOrThrow(next(lines))],
  ['read, view rebuilt, decided again', () => replay(next(lines))],
]

const bytes = lines.reduce((sum, line) => sum + line.length, 0) / lines.length
process.stdout.write(`records of ${Math.round(bytes)} bytes; microseconds: median (least) of rounds; a second\n\n`)
for (const [name, task] of tasks) {
  const { median, min } = await measureMicroseconds(task)
  const perSecond = Math.round(1_000_000 / median).toLocaleString('en')
  process.stdout.write(
    `${name.padEnd(40)}${median.toFixed(2).padStart(8)} (${min.toFixed(2)})${perSecond.padStart(12)}\n`,
  )
}
process.stdout.write(`\nthe goal for the last is ${GOAL_LINES_PER_SECOND.toLocaleString('en')} a second\n`)
