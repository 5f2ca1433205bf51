// Turns figures into tables for people: text for a terminal, Markdown for docs/bench.

import type { Comparison, TargetFigures } from './compare.ts'
import type { Machine } from './machine.ts'
import type { Spread } from './statistics.ts'
import type { RuntimeName } from './targets.ts'

export interface RuntimeReport {
  readonly runtime: RuntimeName
  readonly machine: Machine
  readonly workers: number
  /** Share of all cores that anybody else used meanwhile. */
  readonly othersShare: number
  readonly comparisons: readonly Comparison[]
}

/** Design, section 5: the least share of the pass-through's requests per second. */
export const FLOORS: Readonly<Record<RuntimeName, number>> = { workerd: 0.8, node: 0.75, bun: 0.75, deno: 0.75 }

/** Design, section 5: added latency over one connection. */
export const MAX_ADDED_P50_MS = 0.3

const COLUMNS = [
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

export function toText(report: RuntimeReport): string {
  const blocks = report.comparisons.map((comparison) => {
    const table = [COLUMNS, ...comparison.targets.map(cells)]
    const widths = COLUMNS.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)))
    const lines = table.map((row) => row.map((cell, at) => pad(cell, widths[at] ?? 0, at === 0)).join('  '))
    return [titleOf(report.runtime, comparison), ...lines, ...conclusions(report.runtime, comparison), ''].join('\n')
  })
  return [...blocks, ...circumstances(report), ''].join('\n')
}

export function toMarkdown(report: RuntimeReport): string {
  const blocks = report.comparisons.map((comparison) => {
    const table = [COLUMNS, COLUMNS.map((_, at) => (at === 0 ? '---' : '---:')), ...comparison.targets.map(cells)]
    return [
      `## ${titleOf(report.runtime, comparison)}`,
      '',
      ...table.map((row) => `| ${row.join(' | ')} |`),
      '',
      ...conclusions(report.runtime, comparison).map((line) => `- ${line}`),
      '',
    ].join('\n')
  })
  const facts = circumstances(report).map((line) => `- ${line}`)
  const note = `Written by \`npm run bench -- --runtime ${report.runtime} --write\`. Only ratios within one run mean something.`
  return [`# The router on ${report.runtime} against a bare pass-through`, '', note, '', ...facts, '', ...blocks].join(
    '\n',
  )
}

function titleOf(runtime: RuntimeName, { plan }: Comparison): string {
  const connections = plan.connections === 1 ? '1 connection' : `${plan.connections} connections`
  return `${runtime}, ${plan.load}, ${connections} (${plan.rounds} rounds of ${plan.seconds} s)`
}

function cells(figures: TargetFigures): readonly string[] {
  return [
    figures.name,
    figures.requestsPerSecond.toFixed(0),
    figures.p50Ms.toFixed(2),
    figures.p99Ms.toFixed(2),
    percent(figures.refusedShare),
    percent(figures.failedShare),
    figures.cpuSecondsPer1000.toFixed(3),
    figures.peakMemoryMb.toFixed(0),
    busyOf(figures),
  ]
}

/** The upstream is a target too; its share is said once. */
function busyOf({ busy, isUpstream }: TargetFigures): string {
  const others = isUpstream ? '' : `, upstream ${percent(busy.upstream)}`
  return `${percent(busy.target)}${others}, generator ${percent(busy.generator)}`
}

function conclusions(runtime: RuntimeName, comparison: Comparison): readonly string[] {
  const { plan, targets, ratio, cpuRatio, addedP50Ms, limit } = comparison
  const lines = [
    `router / pass-through: requests per second ${spread(ratio, 2)}${verdict(plan, ratio.median >= FLOORS[runtime], `floor ${FLOORS[runtime]}`)}`,
    `router / pass-through: CPU per request ${spread(cpuRatio, 2)}`,
    `added p50: ${spread(addedP50Ms, 3)} ms${plan.connections === 1 ? ` (at most ${MAX_ADDED_P50_MS}: ${addedP50Ms.median <= MAX_ADDED_P50_MS ? 'met' : 'NOT MET'})` : ''}`,
  ]
  if (plan.connections > 1) lines.push(`the limit was: ${limit}`)
  for (const { name, closingShare } of targets) {
    if (closingShare > 0.01)
      lines.push(`${name}: the server closed the connection after ${percent(closingShare)} of answers`)
  }
  return lines
}

/** The floor on throughput is stated for 2 KB chats under load. */
function verdict({ load, connections }: Comparison['plan'], isMet: boolean, floor: string): string {
  return load === 'chat-2kb' && connections > 1 ? ` (${floor}: ${isMet ? 'met' : 'NOT MET'})` : ''
}

function circumstances({ machine, workers, othersShare }: RuntimeReport): readonly string[] {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${machine.date}, commit ${machine.commit}`,
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GiB, ${machine.system}; ${versions.join(', ')}`,
    `router with ${workers} workers and its defaults (record and log on); generator, upstream and target share these cores`,
    `others used ${percent(othersShare)} of the machine meanwhile: absolute figures suffer, ratios much less`,
  ]
}

function spread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`
}

function percent(share: number): string {
  const value = share * 100
  return `${value > 0 && value < 1 ? value.toFixed(2) : value.toFixed(0)} %`
}

function pad(cell: string, width: number, isLeft: boolean): string {
  return isLeft ? cell.padEnd(width) : cell.padStart(width)
}
