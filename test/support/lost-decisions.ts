// A decision log that takes nothing: each record it is handed is lost, and others wait.

import type { DecisionLogStore } from '../../src/store/decision-log.ts'

export function createLosingLog(): DecisionLogStore {
  let lost = 0
  return {
    append() {
      lost += 1
      return null
    },
    noteOpen: null,
    query: async () => ({ records: [], end: null }),
    find: async () => null,
    findView: async () => null,
    async *exportRange() {},
    status: async () => ({
      kind: 'file',
      stored: 0,
      exported: 0,
      waiting: lost,
      lagMs: lost * 1_000,
      lost,
      failing: 'the disk is full',
    }),
    close: async () => {},
  }
}
