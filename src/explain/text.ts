// An explanation as a page of text, for a terminal or a `text/plain` answer.

import { decisionTreeLines, TREE_LEGEND } from './decision-tree.ts'
import type { Explanation } from './explain.ts'
import { PLAIN, type Paint } from './paint.ts'
import { tableLines } from './table-lines.ts'
import { milliseconds, plain } from './words.ts'

export interface TextOptions {
  /** Columns of the terminal. */
  readonly width?: number
  readonly paint?: Paint
}

const DEFAULT_WIDTH = 100
const LEAST_WIDTH = 80

/** Sentences wrapped to the width, then the candidates in columns. Ends with a line feed. */
export function toText(explanation: Explanation, { width = DEFAULT_WIDTH, paint = PLAIN }: TextOptions = {}): string {
  const columns = Math.max(LEAST_WIDTH, width)
  const { why_not: answer, sentences, table, attempts, decisions = [] } = explanation
  const [title, place] = heading(explanation)
  const lines = [paint.strong(title), paint.faint(place), '']
  if (answer !== undefined) {
    lines.push(paint.strong(`Why not ${plain(answer.worker)}?`), ...bullets(answer.sentences, columns), '')
  }
  const [first = '', ...others] = sentences
  lines.push(...wrapped(first, columns).map(paint.strong), ...bullets(others, columns))
  if (decisions.length > 0)
    lines.push('', `${paint.strong('Decisions')}  ${TREE_LEGEND}`, ...decisionTreeLines(decisions).map(plain))
  if (table !== null && table.rows.length > 0) {
    lines.push('', paint.strong('Candidates'), ...tableLines(table, columns, paint))
    if (table.omitted > 0) lines.push(paint.faint(`and ${table.omitted} more that the record does not list`))
  }
  if (attempts.length > 0) {
    lines.push('', paint.strong('Attempts'))
    for (const { worker, outcome, reason, status, ms } of attempts) {
      const words = [outcome, reason, status].filter((word) => word !== undefined).join(' ')
      const isGood = outcome === 'answered' && (status ?? 0) < 400
      lines.push(`  ${plain(worker)}  ${(isGood ? paint.good : paint.bad)(plain(words))}  ${milliseconds(ms)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function heading({ decision_id: id, request_id: requestId, timestamp, route }: Explanation): readonly [string, string] {
  const request = requestId === null ? [] : [`request ${requestId}`]
  return [plain(id === null ? 'Decision' : `Decision ${id}`), plain([...request, route, timestamp].join(', '))]
}

function bullets(sentences: readonly string[], width: number): readonly string[] {
  return sentences.flatMap((sentence) =>
    wrapped(sentence, width - 2).map((line, at) => (at === 0 ? `- ${line}` : `  ${line}`)),
  )
}

/** Broken between words; a word that is longer stays whole. */
function wrapped(sentence: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of plain(sentence).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
