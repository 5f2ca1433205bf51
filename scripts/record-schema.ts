// `node scripts/record-schema.ts` writes docs/decision-record.schema.json anew from the format in src/record/schema.ts.
// A test compares the two.

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { decisionRecordSchema } from '../src/record/schema.ts'

export const RECORD_SCHEMA_FILE = fileURLToPath(new URL('../docs/decision-record.schema.json', import.meta.url))

/** The format of a decision record as JSON Schema, draft 2020-12. */
export function recordJsonSchema(): unknown {
  const { $schema, ...schema } = z.toJSONSchema(decisionRecordSchema)
  const title = 'Decision record of vllm-edge-router, schema version 4'
  return withoutNoise({ $schema, title, ...schema })
}

/** Leaves out what says nothing: that anything else may stand there too, and the range of all whole numbers. */
function withoutNoise(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    const isNoise =
      (key === 'additionalProperties' && JSON.stringify(value) === '{}') ||
      (key === 'maximum' && value === Number.MAX_SAFE_INTEGER) ||
      key === 'propertyNames'
    return isNoise ? undefined : value
  })
}

if (import.meta.main) writeFileSync(RECORD_SCHEMA_FILE, `${JSON.stringify(recordJsonSchema(), null, 2)}\n`)
