// A record as files hold it, whichever router wrote it: the fields of this version, most of them missing in older ones.

import { RECORD_SCHEMA_VERSION } from './format.ts'
import type { DecisionRecord } from './schema.ts'

/** What records of every version have. */
type Common = Pick<DecisionRecord, 'timestamp' | 'route' | 'status' | 'duration_ms'>

/**
 * A record that `readRecord` has accepted. `schema_version` is 1 to 3 for those of the Rust router (1 where it was
 * absent), 4 and up for ours; `isDecisionRecord` tells them apart.
 */
export interface StoredRecord
  extends Common, Partial<Omit<DecisionRecord, keyof Common | 'schema_version' | 'method'>> {
  readonly schema_version: number
  /** Any word in records of the Rust router. */
  readonly method?: string | undefined
}

/** Whether a record has what this version promises. */
export function isDecisionRecord(record: StoredRecord): record is StoredRecord & DecisionRecord {
  return record.schema_version >= RECORD_SCHEMA_VERSION
}
