// A segment of an export, read whole.

import { textField } from './line-fields.ts'
import type { TimeRange } from './decision-log.ts'

/** The lines of a time range, each with its line feed. */
export function exportSegment(text: string, { sinceMs, untilMs }: TimeRange): string {
  let lines = ''
  for (const line of text.split('\n')) {
    const timeMs = line === '' ? Number.NaN : Date.parse(textField(line, 'timestamp') ?? '')
    if (timeMs >= sinceMs && timeMs < untilMs) lines += `${line}\n`
  }
  return lines
}
