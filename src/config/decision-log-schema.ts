// `decision_log`: where decision records go, and how long they stay there.

import * as z from 'zod'
import type { DecisionLogConfig } from './config.ts'
import { byteSize, flag, seconds, text } from './scalars.ts'

const DAY_MS = 86_400_000

const DAYS = 'must be a number of days above zero'
const SHARE = 'must be a number above 0 and up to 1, such as 0.1 for every tenth decision'

/** Its file's index is held in memory, so a file has an end. */
const MAX_ROTATE_BYTES = 1024 ** 3

export const decisionLogSchema = z.strictObject({
  /** A file; on Workers what the keys of the bucket begin with. */
  export_path: text().meta({ reaches: 'file' }).nullable().default(null),
  export_interval_secs: seconds().default(10),
  /** What callers wrote, up to 32 KiB of it. */
  include_request_text: flag().default(false),
  include_prefix_hashes: flag().default(false),
  /** A file that would grow beyond it is put aside. */
  rotate_bytes: byteSize()
    .refine((bytes) => bytes <= MAX_ROTATE_BYTES, { error: 'must be at most 1GiB' })
    .default(64 * 1024 ** 2),
  fsync: z.enum(['never', 'interval', 'always'], { error: 'must be never, interval or always' }).default('interval'),
  retention_days: z
    .number({ error: DAYS })
    .gt(0, { error: DAYS })
    .max(36_500, { error: 'must be at most 36500 days; leave it out to keep records for ever' })
    .nullable()
    .default(null),
  retention_bytes: byteSize().nullable().default(null),
  /** Thins the export, not what is kept in memory. */
  export_sample: z.number({ error: SHARE }).gt(0, { error: SHARE }).max(1, { error: SHARE }).default(1),
})

export function toDecisionLog(log: z.output<typeof decisionLogSchema>): DecisionLogConfig {
  return {
    exportPath: log.export_path,
    exportIntervalMs: log.export_interval_secs * 1000,
    includesRequestText: log.include_request_text,
    includesPrefixHashes: log.include_prefix_hashes,
    rotateBytes: log.rotate_bytes,
    fsync: log.fsync,
    retentionMs: log.retention_days === null ? null : log.retention_days * DAY_MS,
    retentionBytes: log.retention_bytes,
    exportSample: log.export_sample,
  }
}
