// The last decisions, in memory, for the admin API and for looking at a live process.

import type { PipelineEvents } from '../pipeline/events.ts'
import type { DecisionRecord } from '../pipeline/record.ts'

export const DECISION_RING_SIZE = 1_000

export interface DecisionRing extends Pick<PipelineEvents, 'recordClosed'> {
  /** The newest records first, at most `limit`. */
  recent(limit: number): readonly DecisionRecord[]
}

export function createDecisionRing(size: number = DECISION_RING_SIZE): DecisionRing {
  const records: DecisionRecord[] = []
  let count = 0
  return {
    recordClosed(record) {
      records[count % size] = record
      count += 1
    },
    recent(limit) {
      const newest: DecisionRecord[] = []
      for (let back = 1; back <= Math.min(limit, count, size); back += 1) {
        const record = records[(count - back) % size]
        if (record !== undefined) newest.push(record)
      }
      return newest
    },
  }
}
