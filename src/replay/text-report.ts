// The report for people, as text: the sentence, then what is behind it. Several configurations stand side by side.

import { OTHER_GROUPS } from './counts.ts'
import type { ReplayOutput, ReplayReport } from './report-schema.ts'
import { toNumber, toPercent } from './sentence.ts'
import { alignColumns, printable } from './text-table.ts'

/** Rows that a table has at most. */
const MAX_ROWS = 20

export function toText(output: ReplayOutput): string {
  const parts =
    'reports' in output
      ? [...output.reports.map(({ sentence }) => sentence), overview(output.reports), ...output.reports.map(details)]
      : [output.sentence, overview([output]), details(output)]
  const text = [...parts, linesOf(output.lines)].filter((part) => part !== '').join('\n\n')
  return `${text.split('\n').map(printable).join('\n')}\n`
}

/** A line a count, a column a configuration. */
function overview(reports: readonly ReplayReport[]): string {
  const line = (label: string, of: (report: ReplayReport) => string) => [label, ...reports.map(of)]
  const share = (part: number, { total }: ReplayReport) => `${toNumber(part)} (${toPercent(part, total)})`
  const ratio = (value: number | null) => (value === null ? '–' : value.toFixed(2))
  const isAny = (of: (report: ReplayReport) => number) => reports.some((report) => of(report) > 0)
  const rows = [
    ...(reports.length > 1 ? [line('', ({ configuration }) => configuration.name)] : []),
    ...(reports.length > 1 ? [line('policy', ({ configuration }) => configuration.policy)] : []),
    line('decisions', ({ total }) => toNumber(total)),
    line('  same worker', (report) => share(report.same, report)),
    line('  different worker', (report) => share(report.different, report)),
    line('  newly refused', (report) => share(report.newly_refused, report)),
    line('  newly served', (report) => share(report.newly_served, report)),
    line('  no worker in either', (report) => share(report.neither, report)),
    line('  not comparable', (report) => share(report.not_comparable, report)),
    ...(isAny(({ modelled }) => modelled.same + modelled.different)
      ? [
          line('exact: same, different', ({ exact }) => `${toNumber(exact.same)}, ${toNumber(exact.different)}`),
          line(
            'modelled: same, different',
            ({ modelled }) => `${toNumber(modelled.same)}, ${toNumber(modelled.different)}`,
          ),
        ]
      : []),
    line('hotspot before', ({ before }) => ratio(before.hotspot)),
    line('hotspot after', ({ after }) => ratio(after.hotspot)),
    ...prefixRows(reports),
  ]
  return alignColumns(rows)
}

function prefixRows(reports: readonly ReplayReport[]): string[][] {
  if (reports.every(({ prefix }) => prefix === null)) return []
  const cell = ({ prefix }: ReplayReport, side: 'before' | 'after') =>
    prefix === null ? '–' : toPercent(prefix[side].cached_tokens, prefix[side].tokens)
  return [
    ['tokens cached before (modelled)', ...reports.map((report) => cell(report, 'before'))],
    ['tokens cached after (modelled)', ...reports.map((report) => cell(report, 'after'))],
  ]
}

function details(report: ReplayReport): string {
  const { configuration, against, latency_ms: latency, period } = report
  const compared = against === null ? 'what was recorded' : `${against.name} (${against.policy}, ${against.hash})`
  const milliseconds = (value: number | null) => (value === null ? '–' : `${toNumber(value)} ms`)
  return [
    `${configuration.name} (${configuration.policy}, ${configuration.hash}) against ${compared}`,
    ...(period === null ? [] : [`from ${period.from} to ${period.to}`]),
    `original latency: P50 ${milliseconds(latency.p50)}, P90 ${milliseconds(latency.p90)}, P99 ${milliseconds(latency.p99)}`,
    ...section('where it comes from', causeRows(report)),
    ...section('not comparable', reasonRows(report)),
    ...section('taken for true', assumptionRows(report)),
    ...section('under this configuration before', ownRows(report)),
    ...section('workers', workerRows(report)),
    ...section('by policy then', groupRows(report.policies)),
    ...section('by model then', groupRows(report.models)),
    ...(report.by === null ? [] : section(`by ${report.by.key}`, groupRows(report.by.groups))),
  ].join('\n')
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0
    ? []
    : ['', `${title}:`, alignColumns(rows.map(([first = '', ...rest]) => [`  ${first}`, ...rest]))]
}

function causeRows({ causes }: ReplayReport): string[][] {
  return Object.entries(causes)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => [cause.replaceAll('_', ' '), toNumber(count)])
}

function reasonRows({ not_comparable_reasons: reasons }: ReplayReport): string[][] {
  return cut(reasons.map(({ why, count }) => [why, toNumber(count)]))
}

const ASSUMED = {
  turn: 'turns counted here, as nobody asked for one',
  newcomer: 'a worker that the record does not know is up and idle',
  session: 'the session key was looked for in the default headers',
  cache: 'where the prompt was cached, by a model or as it was then',
} as const satisfies Record<keyof ReplayReport['modelled']['assumptions'], string>

function assumptionRows({ modelled: { assumptions } }: ReplayReport): string[][] {
  const { turn, newcomer, session, cache } = assumptions
  const rows: [string, number][] = [
    [ASSUMED.turn, turn],
    [ASSUMED.newcomer, newcomer],
    [ASSUMED.session, session],
    [ASSUMED.cache, cache],
  ]
  return rows.filter(([, count]) => count > 0).map(([what, count]) => [what, toNumber(count)])
}

function ownRows({ same_configuration: { records, different } }: ReplayReport): string[][] {
  return records === 0
    ? []
    : [
        ['decided again', toNumber(records)],
        ['differently', toNumber(different)],
      ]
}

function workerRows({ workers, before, after }: ReplayReport): string[][] {
  const rows = Object.entries(workers)
    .sort(([, one], [, other]) => other.after - one.after)
    .map(([id, worker]) => [
      id,
      toPercent(worker.before, before.requests),
      toPercent(worker.after, after.requests),
      toNumber(worker.left),
      toNumber(worker.came),
    ])
  return rows.length === 0 ? [] : [['', 'before', 'after', 'left', 'came'], ...cut(rows)]
}

function groupRows(groups: ReplayReport['models']): string[][] {
  const rows = Object.entries(groups)
    .sort(([one, a], [other, b]) => Number(one === OTHER_GROUPS) - Number(other === OTHER_GROUPS) || b.total - a.total)
    .map(([name, counts]) => [
      name,
      toNumber(counts.total),
      toNumber(counts.same),
      toNumber(counts.different),
      toNumber(counts.newly_refused + counts.newly_served + counts.neither),
      toNumber(counts.not_comparable),
    ])
  return rows.length === 0 ? [] : [['', 'total', 'same', 'different', 'no worker', 'not comparable'], ...cut(rows)]
}

function cut(rows: readonly string[][]): string[][] {
  if (rows.length <= MAX_ROWS) return [...rows]
  return [...rows.slice(0, MAX_ROWS), [`and ${toNumber(rows.length - MAX_ROWS)} more; --json has all`]]
}

function linesOf({ unreadable, reasons }: ReplayOutput['lines']): string {
  if (unreadable === 0) return ''
  const rows = reasons.map(({ why, count, first }) => [`  ${why}`, toNumber(count), `first at ${first}`])
  return [`${toNumber(unreadable)} lines that are no record:`, alignColumns(cut(rows))].join('\n')
}
