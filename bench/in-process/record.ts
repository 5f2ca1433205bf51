// What a decision record costs: writing one after an answer, and reading and deciding on it again as a replay does.

import { toRecord } from '../../src/pipeline/record.ts'
import { toDecisionInput, toFleetView } from '../../src/record/fleet-view.ts'
import { readRecord } from '../../src/record/read-record.ts'
import { createViewDocuments } from '../../src/record/view-document.ts'
import { decide } from '../../src/routing/decide.ts'
import { measureMicroseconds, type RoundsOptions } from '../in-process.ts'
import { cycle, exchangesOf, linesOf, recordedPolicy, recordedView } from './records.ts'
import { type BenchTable, microseconds } from './table.ts'

/** Of the last row. */
const GOAL_LINES_PER_SECOND = 30_000

const END = { status: 200, streamEnd: 'complete', errorCode: null, atMs: Date.now() } as const

export async function benchRecord(options: RoundsOptions): Promise<BenchTable> {
  const exchanges = exchangesOf(1_000)
  const lines = linesOf(exchanges)
  const [nextExchange, nextLine] = [cycle(exchanges), cycle(lines)]
  const documents = createViewDocuments()
  const tasks: readonly (readonly [string, () => void])[] = [
    [
      'built, its view document looked up',
      () => {
        const exchange = nextExchange()
        const { view_hash: viewHash } = documents.of(exchange.trace?.view ?? { candidates: [] })
        toRecord(exchange, 'd', { ...END, viewHash })
      },
    ],
    ['built, and made a line', () => void JSON.stringify(toRecord(nextExchange(), 'd', { ...END, viewHash: null }))],
    ['JSON.parse alone', () => void JSON.parse(nextLine())],
    ['read', () => void readOrThrow(nextLine())],
    ['read, view rebuilt, decided again', () => replayLine(nextLine())],
  ]
  const rows: string[][] = []
  let last = Number.NaN
  for (const [name, task] of tasks) {
    const cost = await measureMicroseconds(task, options)
    last = 1_000_000 / cost.min
    rows.push([name, microseconds(cost), perSecondText(last)])
  }
  const bytes = lines.reduce((sum, line) => sum + line.length, 0) / lines.length
  return {
    title: 'Decision records, microseconds each',
    about: `Records of ${Math.round(bytes)} bytes, eight workers.`,
    head: ['', 'us', 'a second'],
    rows,
    goals: [
      {
        what: `read and decided again: ${perSecondText(last)} a second, at least ${perSecondText(GOAL_LINES_PER_SECOND)}`,
        isMet: last >= GOAL_LINES_PER_SECOND,
      },
    ],
  }
}

/** As a replay does with each line; throws when the record does not come out the same. */
export function replayLine(line: string): void {
  const record = readOrThrow(line)
  const rebuilt = toFleetView(record, { document: recordedView, configured: null })
  if (rebuilt.kind !== 'view') throw new Error(rebuilt.why)
  const decision = decide(toDecisionInput(record), { policy: recordedPolicy }, rebuilt.view, record.seed ?? 0)
  if (decision.chosen?.id !== record.worker) throw new Error(`${decision.chosen?.id} is not ${record.worker}`)
}

function readOrThrow(line: string) {
  const read = readRecord(line)
  if (read.kind !== 'record') throw new Error(JSON.stringify(read))
  return read.record
}

const perSecondText = (value: number) => Math.round(value).toLocaleString('en')
