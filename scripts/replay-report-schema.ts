// `node scripts/replay-report-schema.ts` writes docs/replay-report.schema.json anew from src/replay/report-schema.ts. A
// test compares the two.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { replayOutputSchema } from '../src/replay/report-schema.ts'

export const REPLAY_REPORT_SCHEMA_FILE = fileURLToPath(new URL('../docs/replay-report.schema.json', import.meta.url))

/** The report of a replay as JSON Schema, draft 2020-12. */
export function replayReportJsonSchema(): unknown {
  const { $schema, ...schema } = z.toJSONSchema(replayOutputSchema)
  return withoutNoise({ $schema, title: 'Report of vllm-edge-router replay, version 1', ...schema })
}

/** Leaves out what says nothing: the range of all whole numbers, and that keys of objects are text. */
function withoutNoise(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    const isNoise = (key === 'maximum' && value === Number.MAX_SAFE_INTEGER) || key === 'propertyNames'
    return isNoise ? undefined : value
  })
}

if (import.meta.main) {
  writeFileSync(REPLAY_REPORT_SCHEMA_FILE, `${JSON.stringify(replayReportJsonSchema(), null, 2)}\n`)
}
