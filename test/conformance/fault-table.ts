// All rows of the fault table, for the page and for whoever counts them.

import { toRow } from './answer-fault.ts'
import { FAILED_ANSWERS, SILENT_ANSWERS, WRONG_ANSWERS } from './fault-rows-answers.ts'
import { CLIENT_ROWS } from './fault-rows-clients.ts'
import { CONNECTION_ROWS } from './fault-rows-connections.ts'
import { HEALTH_ROWS } from './fault-rows-health.ts'
import { LISTED_ROWS } from './fault-rows-listed.ts'
import { OPERATIONS_ROWS } from './fault-rows-operations.ts'
import { REQUEST_ROWS } from './fault-rows-requests.ts'
import { SERVICE_ROWS } from './fault-rows-services.ts'
import { BROKEN_STREAMS, ENDLESS_STREAMS, ODD_STREAMS } from './fault-rows-streams.ts'
import type { FaultWords } from './fault-row.ts'

export const ANSWER_FAULTS = [...SILENT_ANSWERS, ...WRONG_ANSWERS, ...FAILED_ANSWERS, ...BROKEN_STREAMS, ...ODD_STREAMS]

export const ANSWER_ROWS = ANSWER_FAULTS.map(toRow)

export const ENDLESS_ROWS = ENDLESS_STREAMS.map(toRow)

/** Rows that are proved over real sockets, here. */
export const PROVEN_ROWS: readonly FaultWords[] = [
  ...CONNECTION_ROWS,
  ...ANSWER_ROWS,
  ...ENDLESS_ROWS,
  ...HEALTH_ROWS,
  ...CLIENT_ROWS,
  ...REQUEST_ROWS,
  ...SERVICE_ROWS,
  ...OPERATIONS_ROWS,
]

/** Every row in the order of its number. */
export const FAULT_ROWS: readonly FaultWords[] = [...PROVEN_ROWS, ...LISTED_ROWS].sort((a, b) =>
  a.id.localeCompare(b.id),
)

/** The rows as a table of Markdown. */
export function toMarkdown(rows: readonly FaultWords[]): string {
  const cells = rows.map(({ id, fault, client, record, retried, breaker }) => [
    id,
    fault,
    client,
    record,
    retried,
    breaker,
  ])
  const head = ['', 'What happens', 'What the client sees', 'What the record says', 'Tried again', 'The breaker']
  return [head, head.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
