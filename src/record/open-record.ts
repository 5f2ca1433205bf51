// A record whose request is still under way: what a reader may see of it, and what becomes of one whose end nobody saw.

import type { DecisionRecord } from './schema.ts'

/** What is known from the start, and at any time until the end. Never exported: a log holds what has ended. */
export type OpenRecord = Omit<
  DecisionRecord,
  'status' | 'duration_ms' | 'lifecycle_state' | 'stream_end' | 'error' | 'usage' | 'cached_tokens'
> & {
  readonly lifecycle_state: 'in_progress'
}

/**
 * The record of a request that was begun and never ended as far as anybody knows: its process or isolate is gone. Status 0
 * says that there is none to tell; the duration is how long it was waited for.
 */
export function toOrphanRecord(open: OpenRecord, givenUpAtMs: number): DecisionRecord {
  return {
    ...open,
    timestamp: new Date(givenUpAtMs).toISOString(),
    status: 0,
    duration_ms: Math.max(0, givenUpAtMs - Date.parse(open.timestamp)),
    lifecycle_state: 'unknown',
  }
}
