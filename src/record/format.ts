// What of the format of decision records a running router needs: its version, its words, the fields of every record. All
// the rest is in schema.ts, which no router loads: what it is made of would be a tenth of what a start costs.

export const RECORD_SCHEMA_VERSION = 4

/** Most candidates that a record describes one by one. */
export const MAX_RECORDED_CANDIDATES = 64

/** How an exchange ended. */
export const CLOSED_STATES = ['completed', 'failed', 'aborted', 'unknown'] as const

/** Where an exchange stands, or how it ended. */
export const LIFECYCLE_STATES = ['in_progress', ...CLOSED_STATES] as const

export type ClosedState = (typeof CLOSED_STATES)[number]

/** How the body of an answer ended. */
export const STREAM_ENDS = ['complete', 'truncated', 'client_aborted', 'upstream_error', 'timeout'] as const

/** Fields that every record of this version has. */
export const REQUIRED_FIELDS = [
  'schema_version',
  'decision_id',
  'request_id',
  'timestamp',
  'route',
  'method',
  'status',
  'duration_ms',
  'lifecycle_state',
  'config_hash',
  'attempts',
] as const
