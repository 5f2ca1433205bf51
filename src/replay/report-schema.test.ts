// The report as a contract: the published schema is the one in the code, and its names stay.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REPLAY_REPORT_SCHEMA_FILE, replayReportJsonSchema } from '../../scripts/replay-report-schema.ts'
import { madeUpReport } from '../../test/support/made-up-report.ts'
import { replayOutputSchema, replayReportSchema } from './report-schema.ts'
import { REPORT_VERSION } from './report-version.ts'

const LINES = { read: 0, blank: 0, unreadable: 0, reasons: [] }

test('the published schema is made from this one', () => {
  expect(JSON.parse(readFileSync(REPLAY_REPORT_SCHEMA_FILE, 'utf8'))).toEqual(replayReportJsonSchema())
})

test('the names of version 1, which may be added to and never taken from', () => {
  expect(REPORT_VERSION).toBe(1)
  expect(Object.keys(replayReportSchema.shape).join(' ')).toBe(
    [
      'report_version sentence configuration against total same different no_worker newly_refused newly_served neither',
      'not_comparable exact modelled same_configuration causes not_comparable_reasons policies models by before after',
      'workers latency_ms prefix period',
    ].join(' '),
  )
})

test.each(Object.keys(replayReportSchema.shape))('a report has `%s`', (name) => {
  const report: Record<string, unknown> = { ...madeUpReport({}), lines: LINES }
  expect(replayOutputSchema.safeParse(report).success).toBe(true)
  delete report[name]
  expect(replayOutputSchema.safeParse(report).success).toBe(false)
})

test('counts are whole numbers', () => {
  for (const value of [-1, 0.5, '1', null]) {
    expect(replayOutputSchema.safeParse({ ...madeUpReport({}), lines: LINES, total: value }).success).toBe(false)
  }
})
