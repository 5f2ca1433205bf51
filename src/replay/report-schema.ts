// The report of a replay as `--json` and POST /admin/replay give it. The names are a contract;
// docs/replay-report.schema.json is made from this file. All that is a count can be added to that of another page.

import * as z from 'zod'
import { ASSUMPTIONS, CAUSES } from './outcome.ts'
import { REPORT_VERSION } from './report-version.ts'

const count = z.int().min(0)
const milliseconds = z.number().min(0)
const configuration = z.strictObject({
  name: z.string().describe('File it was read from, or `request`.'),
  hash: z.string().describe('As `config_hash` of records that were made under it.'),
  policy: z.string(),
})
const counts = z.strictObject({
  total: count,
  same: count,
  different: count,
  newly_refused: count,
  newly_served: count,
  neither: count,
  not_comparable: count,
})
const groups = z.record(z.string(), counts)
const sameOrNot = { same: count, different: count }
const side = z.strictObject({
  workers: count.describe('Workers, or ranks of workers, that there were to choose from.'),
  requests: count.describe('Requests that a worker got.'),
  hotspot: z
    .number()
    .nullable()
    .describe('Largest share times `workers`: 1 when all get as much; null without requests.'),
})
const prefixSide = z.strictObject({ tokens: count, cached_tokens: count })

export const replayReportSchema = z.strictObject({
  report_version: z.literal(REPORT_VERSION),
  sentence: z.string().describe('What came out, in a sentence.'),
  configuration: configuration.describe('The configuration that was decided under.'),
  against: configuration.nullable().describe('What it is compared with; null for what was recorded.'),
  total: count.describe('Records: the sum of `same`, `different`, `no_worker` and `not_comparable`.'),
  same: count.describe('The same worker.'),
  different: count.describe('Another worker.'),
  no_worker: count.describe('No worker before, or none after: the sum of the next three.'),
  newly_refused: count.describe('A worker before, none after.'),
  newly_served: count.describe('None before, one after.'),
  neither: count.describe('No worker in either: refused, ended before a decision, or answered by the router itself.'),
  not_comparable: count.describe('Records that lack something, or ended where the configuration would have gone on.'),
  exact: z
    .strictObject(sameOrNot)
    .describe('Of `same` and `different`, those that follow from what was recorded alone.'),
  modelled: z
    .strictObject({ ...sameOrNot, assumptions: z.strictObject(record(ASSUMPTIONS)) })
    .describe('Those that took something for true besides, and how many took what.'),
  same_configuration: z
    .strictObject({ records: count, different: count })
    .describe('Records with a worker made under this very configuration, and how many of them came out differently.'),
  causes: z.strictObject(record(CAUSES)).describe('Where it comes from that a record is not `same` or `neither`.'),
  not_comparable_reasons: z.array(z.strictObject({ why: z.string(), cause: z.enum(CAUSES), count })),
  policies: groups.describe('By the policy that chose then.'),
  models: groups.describe('By the model routed to then.'),
  by: z
    .strictObject({ key: z.enum(['model', 'tenant', 'hour']), groups })
    .nullable()
    .describe('By what was asked for; hours in UTC.'),
  before: side,
  after: side,
  workers: z
    .record(z.string(), z.strictObject({ before: count, after: count, left: count, came: count }))
    .describe('Requests by worker: before, after, those that went elsewhere, and those that came from elsewhere.'),
  latency_ms: z
    .strictObject({
      count,
      p50: milliseconds.nullable(),
      p90: milliseconds.nullable(),
      p99: milliseconds.nullable(),
      histogram: z.array(z.tuple([milliseconds, count])).describe('Upper end of a bucket, and how many were in it.'),
    })
    .describe('Of what was recorded, for requests that had a worker; within a hundredth. Not a prediction.'),
  prefix: z
    .strictObject({
      records: count,
      cache_blocks: count,
      block_tokens: count,
      before: prefixSide,
      after: prefixSide,
    })
    .nullable()
    .describe('Modelled: what caches of that many blocks a worker would have held; null without prefix hashes.'),
  period: z.strictObject({ from: z.string(), to: z.string() }).nullable().describe('First and last end of a request.'),
})

export type ReplayReport = z.output<typeof replayReportSchema>

const lines = z.strictObject({
  read: count.describe('Lines, or records of a store, that were looked at.'),
  blank: count,
  unreadable: count,
  reasons: z.array(
    z.strictObject({ why: z.string(), count, first: z.string().describe('Where the first of them is.') }),
  ),
})

/** What `--json` prints: for one configuration its report, for several one each. */
export const replayOutputSchema = z.union([
  z.strictObject({
    ...replayReportSchema.shape,
    lines,
    next_cursor: z.string().nullable().optional().describe('Of POST /admin/replay: where the next page begins.'),
  }),
  z.strictObject({ report_version: z.literal(REPORT_VERSION), lines, reports: z.array(replayReportSchema).min(2) }),
])

export type ReplayLines = z.output<typeof lines>
export type ReplayOutput = z.output<typeof replayOutputSchema>

function record<Name extends string>(names: readonly Name[]): Record<Name, typeof count> {
  return Object.fromEntries(names.map((name) => [name, count])) as Record<Name, typeof count> // one entry for each name
}
