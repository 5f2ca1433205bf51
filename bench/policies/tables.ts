// Tables of figures, for a page and for a terminal.

import type { Figures } from './outcome.ts'
import type { DoneRun } from './results.ts'

export const COLUMNS = [
  'policy',
  'hits',
  'of the ceiling',
  'TTFT p50',
  'p90',
  'p99',
  'goodput',
  'imbalance',
  'refused',
  'lookups',
  'their cost',
] as const

/** One line for each run. */
export function linesOf(runs: readonly DoneRun[]): readonly (readonly string[])[] {
  return runs.map(({ plan, figures }) => [plan.contender, ...cellsOf(figures)])
}

function cellsOf(figures: Figures): readonly string[] {
  return [
    percent(figures.hitShare),
    percent(figures.ofCeiling),
    seconds(figures.firstTokenP50Ms),
    seconds(figures.firstTokenP90Ms),
    seconds(figures.firstTokenP99Ms),
    percent(figures.goodShare),
    figures.imbalance.toFixed(2),
    percent(figures.refusedShare),
    figures.lookupsPerRequest === 0 ? '' : figures.lookupsPerRequest.toFixed(2),
    figures.lookupsPerRequest === 0 ? '' : `${figures.lookupMs.toFixed(1)} ms`,
  ]
}

/** Columns of equal width: what makes a Markdown table readable as it is, too. */
export function toMarkdownTable(columns: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = columns.map((name, at) => Math.max(3, name.length, ...lines.map((line) => line[at]?.length ?? 0)))
  const row = (cells: readonly string[]) =>
    `| ${columns.map((_, at) => pad(cells[at] ?? '', widths[at] ?? 0, at === 0)).join(' | ')} |`
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [row(columns), rule, ...lines.map(row)].join('\n')
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

function pad(cell: string, width: number, isLeft: boolean): string {
  return isLeft ? cell.padEnd(width) : cell.padStart(width)
}
