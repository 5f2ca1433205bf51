// Reads a line of a decision log: of this router, or of versions 1 to 3 of the Rust router. Millions of them pass here in
// a replay, so what others use is checked by hand; `decisionRecordSchema` checks everything, at many times the cost.

import { FIELD_RULES, type FieldRule } from './field-rules.ts'
import { RECORD_SCHEMA_VERSION, REQUIRED_FIELDS } from './format.ts'
import type { StoredRecord } from './stored-record.ts'

/** Longest line that is parsed, in UTF-16 units; a record has about 1,500. */
export const MAX_LINE_LENGTH = 1024 * 1024

export type ReadRecord =
  | { readonly kind: 'record'; readonly record: StoredRecord }
  | { readonly kind: 'blank' }
  /** `why` is for a report; it holds names of fields and nothing of what stood in them. */
  | { readonly kind: 'refused'; readonly why: string }

/** What versions 1 to 3 always have. */
const ALWAYS = ['timestamp', 'route', 'status', 'duration_ms'] as const

/** Never throws. Fields nobody knows are kept, `null` counts as absent, and so does a byte order mark. */
export function readRecord(line: string): ReadRecord {
  if (line.length > MAX_LINE_LENGTH) return refused(`the line is longer than ${MAX_LINE_LENGTH} characters`)
  const text = line.startsWith('\uFEFF') ? line.slice(1) : line
  if (/^\s*$/.test(text)) return BLANK
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The engines' own messages quote the line.
    return refused('the line is no JSON; it may have been cut off')
  }
  return toStoredRecord(value)
}

/** The same for a value that has been parsed. It becomes the record: nothing is copied. */
export function toStoredRecord(value: unknown): ReadRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refused('it is no JSON object')
  const record = value as Record<string, unknown> // an object; each field is checked before anybody relies on it
  record['schema_version'] ??= 1
  const why = problemOf(record)
  return why === null ? { kind: 'record', record: record as unknown as StoredRecord } : refused(why)
}

function problemOf(record: Record<string, unknown>): string | null {
  if (record['lifecycle_state'] === 'in_progress') return 'its request was still in progress'
  for (const name in record) {
    const rule: FieldRule | undefined = FIELD_RULES.get(name)
    if (rule === undefined || rule.holds(record[name])) continue
    if (record[name] !== null) return `\`${name}\` must be ${rule.wanted}`
    delete record[name]
  }
  const version = record['schema_version'] as number // checked above, as every field that has a rule
  for (const name of version < RECORD_SCHEMA_VERSION ? ALWAYS : REQUIRED_FIELDS) {
    if (record[name] === undefined) return missing(name, record)
  }
  return null
}

function missing(name: string, { event }: Record<string, unknown>): string {
  // What a router writes to its standard output, where records stand among other lines.
  if (typeof event === 'string' && event !== 'request') return 'it is a line of the log, but no decision record'
  return `\`${name}\` is missing`
}

const BLANK: ReadRecord = { kind: 'blank' }

function refused(why: string): ReadRecord {
  return { kind: 'refused', why }
}
