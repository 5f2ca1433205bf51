// LimitStore for one process: the limits are this memory, and exact.

import { createLimitState, leaseFrom, type LimitState } from '../limits/limit-state.ts'
import type { LimitStore } from './limit-store.ts'

export interface MemoryLimitStore extends LimitStore {
  readonly leaseNow: NonNullable<LimitStore['leaseNow']>
}

export function createMemoryLimitStore(now: () => number): MemoryLimitStore {
  // Names come from the configuration, so their number is bounded.
  const tenants = new Map<string, LimitState>()

  function leaseNow(report: Parameters<MemoryLimitStore['leaseNow']>[0]) {
    const state = tenants.get(report.tenant) ?? createLimitState()
    tenants.set(report.tenant, state)
    return leaseFrom(state, report, now())
  }
  return { leaseNow, lease: async (report) => leaseNow(report) }
}
