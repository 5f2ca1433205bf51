// Turns figures into tables for people: text for a terminal, Markdown for docs/bench.

import type { Comparison, Ratio, TargetFigures } from './compare.ts'
import { type Goal, goalsOf } from './goals.ts'
import { type Machine, machineLines } from './machine.ts'
import { figureText, markdownTable, percent, type Row, spreadText, textTable } from './pages.ts'

export interface BenchReport {
  /** What a reader types to have it again. */
  readonly command: string
  readonly machine: Machine
  readonly workers: number
  /** Peers that were left out, and why. */
  readonly missing: readonly string[]
  /** Share of all cores that anybody else used meanwhile. */
  readonly othersShare: number
  readonly comparisons: readonly Comparison[]
}

const FIGURES = [
  '',
  'req/s',
  'p50 ms',
  'p99 ms',
  'refused',
  'failed',
  'CPU s/1000',
  'peak MiB',
  'busy (of a core)',
] as const

const RATIOS = ['', 'requests per second', 'CPU per request', 'p99', 'added p50, ms'] as const

export function toText(report: BenchReport): string {
  const blocks = report.comparisons.map((comparison) => {
    const tables = tablesOf(comparison).map(({ head, rows }) => textTable(head, rows))
    return [titleOf(comparison), ...tables, ...notes(comparison), ''].join('\n')
  })
  return [...blocks, ...goalsOf(report.comparisons).map(goalText), ...circumstances(report), ''].join('\n')
}

export function toMarkdown(report: BenchReport, title: string): string {
  const goals = goalsOf(report.comparisons)
  const verdicts = goals.map(({ what, found, limit, isMet }): Row => [
    what,
    found,
    limit,
    isMet ? 'met' : '**NOT MET**',
  ])
  const blocks = report.comparisons.map((comparison) => {
    const tables = tablesOf(comparison).map(({ head, rows }) => `${markdownTable(head, rows)}\n`)
    return [`## ${titleOf(comparison)}`, '', ...tables, ...list(notes(comparison)), ''].join('\n')
  })
  return [
    `# ${title}`,
    '',
    `Written by \`${report.command}\`. Only ratios within one run mean something. Medians of rounds; in brackets, how far rounds lie apart.`,
    '',
    ...list(circumstances(report)),
    '',
    ...(goals.length === 0 ? [] : ['## Goals', '', markdownTable(['', 'measured', 'goal', ''], verdicts), '']),
    ...blocks,
  ].join('\n')
}

const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`)

const goalText = ({ what, found, limit, isMet }: Goal) => `${what}: ${found} (${limit}: ${isMet ? 'met' : 'NOT MET'})`

function titleOf({ plan }: Comparison): string {
  const { connections, rate, rounds, seconds } = plan
  const over = connections === 1 ? '1 connection' : `${connections} connections`
  const at = rate === null ? '' : `, ${rate} requests a second, timed from when each was due`
  return `${plan.load}, ${over}${at} (${rounds} rounds of ${seconds} s)`
}

function tablesOf({ targets, ratios }: Comparison): readonly { readonly head: Row; readonly rows: readonly Row[] }[] {
  const figures = { head: FIGURES, rows: targets.map(figureCells) }
  return ratios.length === 0 ? [figures] : [figures, { head: RATIOS, rows: ratios.map(ratioCells) }]
}

function figureCells(figures: TargetFigures): Row {
  return [
    figures.name,
    figures.requestsPerSecond.toFixed(0),
    figures.p50Ms.toFixed(2),
    figures.p99Ms.toFixed(2),
    percent(figures.refusedShare),
    percent(figures.failedShare),
    figureText(figures.cpuSecondsPer1000, 3),
    figures.peakMemoryMb.toFixed(0),
    busyOf(figures),
  ]
}

/** The upstream is a target too; its share is said once. */
function busyOf({ busy, isUpstream }: TargetFigures): string {
  const others = isUpstream ? '' : `, upstream ${percent(busy.upstream)}`
  return `${percent(busy.target)}${others}, generator ${percent(busy.generator)}`
}

function ratioCells({ name, baseline, requestsPerSecond, cpu, p99, addedP50Ms }: Ratio): Row {
  const ratios = [requestsPerSecond, cpu, p99].map((spread) => spreadText(spread, 2))
  return [`${name} / ${baseline}`, ...ratios, spreadText(addedP50Ms, 3)]
}

function notes({ plan, targets, limit }: Comparison): readonly string[] {
  const closing = targets
    .filter(({ closingShare }) => closingShare > 0.01)
    .map(
      ({ name, closingShare }) => `${name}: the server closed the connection after ${percent(closingShare)} of answers`,
    )
  return plan.connections > 1 && plan.rate === null ? [`the limit was: ${limit}`, ...closing] : closing
}

function circumstances({ machine, workers, missing, othersShare }: BenchReport): readonly string[] {
  return [
    ...machineLines(machine),
    `router: ${workers} workers and its defaults (record and log on); everything: a hook that is sent each body, model rules, ` +
      "a tenant with limits, the decision log's export, traces of one in a hundred",
    'generator, upstream and targets share these cores; peak MiB is since the process started, over all loads before',
    `others used ${percent(othersShare)} of the machine meanwhile: absolute figures suffer, ratios much less`,
    ...missing,
  ]
}
