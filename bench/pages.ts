// Where a benchmark's page goes, and how tables are drawn: Markdown for docs/bench, aligned text for a terminal.

import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export type Row = readonly string[]

export function writePage(name: string, text: string): string {
  const directory = fileURLToPath(new URL('../docs/bench/', import.meta.url))
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}${name}`, `${text.trimEnd()}\n`)
  return `docs/bench/${name}`
}

/** The first column holds names, the others figures. */
export function markdownTable(head: Row, rows: readonly Row[]): string {
  const rule = head.map((_, at) => (at === 0 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

export function textTable(head: Row, rows: readonly Row[]): string {
  const table = [head, ...rows]
  const widths = head.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)))
  const padded = (cell: string, at: number) =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)
  return table.map((row) => row.map(padded).join('  ')).join('\n')
}

export function percent(share: number): string {
  const value = share * 100
  return `${value > 0 && value < 1 ? value.toFixed(2) : value.toFixed(0)} %`
}

/** A dash for what could not be measured, as of a target that answered nothing. */
export function figureText(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}

/** The median, and between which values it lies. */
export function spreadText(
  { median, min, max }: { readonly median: number; readonly min: number; readonly max: number },
  digits: number,
): string {
  return Number.isFinite(median) ? `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})` : '–'
}
