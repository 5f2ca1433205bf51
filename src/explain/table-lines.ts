// The table of candidates in aligned columns that fit a terminal: what matters least gives way.

import type { CandidateRow, CandidateTable } from './candidate-table.ts'
import type { Paint } from './paint.ts'
import { amount, plain } from './words.ts'

interface Column {
  readonly title: string
  readonly isNumber: boolean
  /** The smallest goes first when there is no room. */
  readonly rank: number
  cell(row: CandidateRow): string
}

const GAP = '  '
const LONGEST_NAME = 32

/** Short titles for parts of the built-in policies. */
const PART_TITLES: Readonly<Record<string, string>> = {
  in_flight_here: 'here',
  in_flight_elsewhere: 'elsewhere',
  in_flight_outside: 'outside',
  in_flight: 'in flight',
}

/** One line for the titles, one for each row. The chosen one is marked. */
export function tableLines(table: CandidateTable, width: number, paint: Paint): readonly string[] {
  const columns = fitting(columnsOf(table), table.rows, width)
  const widths = columns.map((column) => widthOf(column, table.rows))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => aligned(cell, columns[at]?.isNumber ?? false, widths[at] ?? 0))
      .join(GAP)
      .trimEnd()
  const titles = paint.faint(`  ${line(columns.map(({ title }) => title))}`)
  return [
    titles,
    ...table.rows.map((row) => {
      const text = line(columns.map((column) => column.cell(row)))
      if (row.standing === 'chosen') return paint.good(`> ${text}`)
      return row.standing === 'left_out' ? paint.faint(`  ${text}`) : `  ${text}`
    }),
  ]
}

function columnsOf({ parts, rows }: CandidateTable): readonly Column[] {
  const isSeen = rows.some(({ seen }) => seen !== null && (seen.availability !== 'up' || seen.share !== 1))
  const hasMetrics = rows.some(({ seen }) => (seen?.metrics ?? null) !== null)
  const hasWeights = rows.some(({ weight }) => weight !== null && weight !== 1) && !parts.includes('weight')
  return [
    { title: 'worker', isNumber: false, rank: 10, cell: ({ worker }) => shortened(plain(worker)) },
    { title: 'score', isNumber: true, rank: 9, cell: ({ score }) => number(score) },
    ...parts.map((name, at) => partColumn(name, at)),
    ...(hasWeights ? [numberColumn('weight', 1, ({ weight }) => weight)] : []),
    ...(hasMetrics
      ? [
          numberColumn('running', 3, ({ seen }) => seen?.metrics?.running ?? null),
          numberColumn('waiting', 3, ({ seen }) => seen?.metrics?.waiting ?? null),
          numberColumn('age ms', 4, ({ seen }) => seen?.metrics?.age_ms ?? null),
        ]
      : []),
    ...(isSeen ? [{ title: 'state', isNumber: false, rank: 2, cell: stateOf }] : []),
    { title: 'why', isNumber: false, rank: 11, cell: ({ why }) => why },
  ]
}

function partColumn(name: string, at: number): Column {
  const title = Object.hasOwn(PART_TITLES, name) ? (PART_TITLES[name] ?? name) : plain(name)
  // Later parts are what the earlier ones add up to.
  return numberColumn(title, 5 + Math.min(3, at), ({ parts }) => parts[name] ?? null)
}

function numberColumn(title: string, rank: number, value: (row: CandidateRow) => number | null): Column {
  return { title, isNumber: true, rank, cell: (row) => number(value(row)) }
}

function stateOf({ seen }: CandidateRow): string {
  if (seen === null) return ''
  return seen.share === 1 ? seen.availability : `${seen.availability} at ${amount(seen.share * 100)} %`
}

function number(value: number | null): string {
  return value === null ? '' : amount(value)
}

/** As many columns as there is room for. */
function fitting(columns: readonly Column[], rows: readonly CandidateRow[], width: number): readonly Column[] {
  let left = columns
  while (left.length > 3 && totalOf(left, rows) > width) {
    const [least] = left.toSorted((one, other) => one.rank - other.rank)
    left = left.filter((column) => column !== least)
  }
  return left
}

function totalOf(columns: readonly Column[], rows: readonly CandidateRow[]): number {
  return columns.reduce((total, column) => total + widthOf(column, rows) + GAP.length, 0)
}

function widthOf({ title, cell }: Column, rows: readonly CandidateRow[]): number {
  return Math.max(title.length, ...rows.map((row) => cell(row).length))
}

function aligned(cell: string, isNumber: boolean, width: number): string {
  return isNumber ? cell.padStart(width) : cell.padEnd(width)
}

/** A long URL differs from others at its end. */
function shortened(name: string): string {
  return name.length <= LONGEST_NAME ? name : `…${name.slice(1 - LONGEST_NAME)}`
}
