// docs/bench/scale.md.

import type { Comparison } from '../compare.ts'
import { type Machine, machineLines } from '../machine.ts'
import { markdownTable, percent, type Row, spreadText } from '../pages.ts'
import type { CoordinationFigures } from './coordination.ts'
import {
  ALARMS_PER_EXPORT,
  ROWS_PER_BATCH,
  ROWS_PER_DELETED_SEGMENT,
  ROWS_PER_SEGMENT,
  ROWS_PER_TELLING,
  ROWS_PER_TOLD_END,
} from './decision-rows.ts'
import type { IsolatesFigures } from './over-http.ts'
import { costPerMillion, PRICES } from './prices.ts'
import { MAX_CALLS_PER_SECOND, type ObjectCounts } from './rule.ts'

export interface ScaleResults {
  readonly machine: Machine
  /** Under the defaults, and under the rule. */
  readonly byDefault: readonly CoordinationFigures[]
  readonly byRule: readonly CoordinationFigures[]
  readonly workerdCpuMs: number
  readonly largeFleets: readonly Comparison[]
  readonly streams: readonly Comparison[]
  readonly isolates: IsolatesFigures | null
}

const number = (value: number) => Math.round(value).toLocaleString('en')

/** Below ten the first decimal matters. */
const rate = (value: number) => (value < 10 ? value.toFixed(1) : number(value))

const dollars = (value: number) => (value < 0.01 ? value.toFixed(4) : value.toFixed(2))

export function toPage(results: ScaleResults): string {
  return [
    '# Scale',
    '',
    'Written by `npm run bench:scale`.',
    '',
    ...machineLines(results.machine).map((line) => `- ${line}`),
    '',
    ...coordination(results),
    ...rule(results.byRule),
    ...costs(results),
    ...processes(results),
  ].join('\n')
}

export const COORDINATION_HEAD: Row = [
  'requests/s',
  'isolates',
  'root',
  'replica',
  'tenant',
  'decisions',
  'responses',
  'busiest object',
  'calls per request',
  'objects, CPU ms per 1,000 requests',
]

export function coordinationRow(figures: CoordinationFigures): Row {
  const { deployment, kinds, callsPerSecond, busiest, objectCpuMsPer1000 } = figures
  const { root, replica, tenant, decisions, responses } = kinds
  const ofKinds = [root, replica, tenant, decisions, responses].map((kind) => rate(kind.busiest))
  const isOver = busiest > MAX_CALLS_PER_SECOND
  return [
    number(deployment.requestsPerSecond),
    number(deployment.isolates),
    ...ofKinds,
    isOver ? `**${number(busiest)}**` : number(busiest),
    (callsPerSecond / deployment.requestsPerSecond).toFixed(3),
    objectCpuMsPer1000.toFixed(1),
  ]
}

function coordination({ byDefault }: ScaleResults): readonly string[] {
  return [
    '## Calls to Durable Objects, with the default number of objects',
    '',
    "Simulated in virtual time with the code that runs: each isolate has the Worker's own clients (copies of the fleet, turns, a tenant's",
    "limits, the decision log's queue, owners of stored responses), the objects run the code of replicas, root and limits; a call takes 10 ms. Every",
    'request belongs to one tenant with limits and leaves a record; one in twenty stores a response; requests take 0.4 s. Longer ones lease no more',
    'often; while one lasts beyond five seconds its isolate tells the decision log so every twenty seconds, in one call for all of them.',
    `Calls a second of the busiest object of each kind; in bold what is over ${MAX_CALLS_PER_SECOND}.`,
    '',
    markdownTable(COORDINATION_HEAD, byDefault.map(coordinationRow)),
    '',
    'Calls come once or twice a second from an isolate, so they grow with isolates and hardly with requests; only owners of stored responses are asked',
    'by the request. KV is read when an isolate starts and when the configuration changes, never by a request: 0 reads in the steady state simulated here.',
    '',
  ]
}

function countsText({ replicas, shards, tenant_shards: tenants, decision_groups: groups }: ObjectCounts): string {
  return `\`fleet: {replicas: ${replicas}, shards: ${shards}, tenant_shards: ${tenants}, decision_groups: ${groups}}\``
}

function rule(byRule: readonly CoordinationFigures[]): readonly string[] {
  return [
    `## The sharding rule: every object under ${MAX_CALLS_PER_SECOND} calls a second`,
    '',
    'With N isolates, R requests a second and K of them that store or continue a response (or ask for shared prefix hints), each planned for',
    '350 calls so that chance has room:',
    '',
    '| Field of `fleet` | Objects | At least |',
    '|---|---|---|',
    '| `replicas` | copies of the fleet, one call a second from an isolate | N / 350 |',
    "| `tenant_shards` | parts of one tenant's limits, two calls a second from an isolate that is busy with it | 2.1 N / 350 |",
    '| `decision_groups` | groups of eight that keep decision records, one call a second from an isolate to one of them | N / 2,800, and R / 16,000 for the records themselves |',
    '| `shards` | owners of stored responses; hints | 2 K / 350 |',
    '',
    'The root is asked twice a second by a replica and by nobody else; `strict: true` of round robin is the exception, one call a request, and is for',
    'fleets below 500 requests a second. The same deployments by this rule:',
    '',
    markdownTable(
      [...COORDINATION_HEAD, 'records/s of one object'],
      byRule.map((figures) => [...coordinationRow(figures), number(figures.busiestRecords)]),
    ),
    '',
    ...byRule.map(
      ({ deployment: { requestsPerSecond, isolates, counts } }) =>
        `- ${number(requestsPerSecond)} requests/s, ${number(isolates)} isolates: ${countsText(counts)}`,
    ),
    '',
  ]
}

function costs({ byRule, workerdCpuMs }: ScaleResults): readonly string[] {
  const head = [
    'requests/s',
    'isolates',
    'Worker',
    'CPU',
    'object calls',
    'objects in memory',
    'rows written',
    'R2 writes',
    'log line',
    'sum',
    'R2 writes/s',
  ]
  const rows = byRule.map((figures): Row => {
    const { r2WritesPerSecond, ...parts } = costPerMillion(figures, workerdCpuMs)
    const { worker, cpu, objects, duration, rows: rowsWritten, r2, logs } = parts
    const each = [worker, cpu, objects, duration, rowsWritten, r2, logs]
    const sum = each.reduce((total, part) => total + part, 0)
    const { requestsPerSecond, isolates } = figures.deployment
    return [
      number(requestsPerSecond),
      number(isolates),
      ...each.map(dollars),
      dollars(sum),
      r2WritesPerSecond.toFixed(1),
    ]
  })
  return [
    '## What a million requests cost on Cloudflare',
    '',
    `US dollars beyond what the Workers Paid plan includes, by the prices read on ${PRICES.readOn}: ${PRICES.sources.join(', ')}. ` +
      `Per million: requests ${PRICES.workerRequests}, CPU ms ${PRICES.workerCpuMs}, calls of objects ${PRICES.objectRequests}, GB-s ${PRICES.objectGbSeconds} ` +
      `(0.128 GB each), rows written ${PRICES.rowsWritten}, R2 writes ${PRICES.r2Writes}, KV reads ${PRICES.kvReads}, log events ${PRICES.logEvents}. ` +
      `CPU: ${workerdCpuMs.toFixed(2)} ms a request, measured here on workerd with the log and record on.`,
    '',
    markdownTable(head, rows),
    '',
    `Rows written are the decision log: ${ROWS_PER_BATCH} for a batch, as it comes and as it goes once the bucket has it, ${ROWS_PER_SEGMENT} and ${ALARMS_PER_EXPORT} alarms for a segment; another`,
    `${ROWS_PER_DELETED_SEGMENT} when \`retention_days\` deletes the segment. Not in the table: a request that lasts longer than five seconds is told of then and every 20 seconds, ${ROWS_PER_TELLING} each time,`,
    `and ${ROWS_PER_TOLD_END} when it has ended: $${(2 * ROWS_PER_TELLING + ROWS_PER_TOLD_END) * PRICES.rowsWritten} for a million requests of 30 seconds. A deployment without the binding \`DECISION_LOG\` pays neither these, nor their calls, nor R2. The log line`,
    'is Workers Logs with one line a request.',
    '',
  ]
}

function processes({ largeFleets, streams, isolates }: ScaleResults): readonly string[] {
  const head = ['', 'req/s', 'p50 ms', 'p99 ms', 'failed', 'CPU s/1000', 'peak MiB']
  const rowsOf = (comparison: Comparison): Row[] =>
    comparison.targets
      .filter(({ isUpstream }) => !isUpstream)
      .map((one) => [
        one.name,
        one.requestsPerSecond.toFixed(0),
        one.p50Ms.toFixed(2),
        one.p99Ms.toFixed(2),
        percent(one.failedShare + one.refusedShare),
        one.cpuSecondsPer1000.toFixed(3),
        one.peakMemoryMb.toFixed(0),
      ])
  const ratios = (comparisons: readonly Comparison[]) =>
    comparisons
      .flatMap((comparison) => comparison.ratios)
      .map(
        (ratio) =>
          `- ${ratio.name} / ${ratio.baseline}: CPU per request ${spreadText(ratio.cpu, 2)}, requests per second ${spreadText(ratio.requestsPerSecond, 2)}`,
      )
  return [
    '## 1,024 workers and 200 models',
    '',
    '2 KB chats over 32 connections; every worker is probed meanwhile.',
    '',
    markdownTable(head, largeFleets.flatMap(rowsOf)),
    '',
    ...ratios(largeFleets),
    '',
    '## 1,000 streams at a time through one process',
    '',
    'Streams of 200 chunks, each connection beginning the next when its last has ended. `req/s` times 202 is events a second.',
    '',
    markdownTable(head, streams.flatMap(rowsOf)),
    '',
    ...ratios(streams),
    '',
    '## Eight isolates over one fleet',
    '',
    ...(isolates === null
      ? ['Not measured in this run.']
      : [
          `In one workerd, over the same objects: ${number(isolates.requests)} requests, ${isolates.failed} failed. Under round robin the four workers got ` +
            `${isolates.shares.map((share) => percent(share)).join(', ')} of them.`,
        ]),
    '',
  ]
}
