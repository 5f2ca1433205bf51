// Requests of each tenant: how many there were, how many are under way, and how many met a limit.

import type { TenantCounts } from '../control/admin-parts.ts'
import type { PipelineEvents } from '../pipeline/events.ts'

export interface TenantCounters extends Pick<PipelineEvents, 'recordOpened' | 'recordClosed'> {
  of(name: string): TenantCounts
}

const NONE: TenantCounts = { requests: 0, rateLimited: 0, inFlight: 0 }

/** Names come from the configuration, so their number is bounded by it. */
export function createTenantCounters(): TenantCounters {
  const counts = new Map<string, TenantCounts>()
  const of = (name: string) => counts.get(name) ?? NONE
  return {
    of,
    recordOpened({ tenant }) {
      if (tenant === null) return
      const known = of(tenant.name)
      counts.set(tenant.name, { ...known, requests: known.requests + 1, inFlight: known.inFlight + 1 })
    },
    recordClosed({ tenant, status, error }) {
      if (tenant === undefined) return
      const known = of(tenant)
      // With an error of the router's own: a worker's 429 says nothing about the tenant.
      const isLimited = status === 429 && error !== undefined
      counts.set(tenant, {
        ...known,
        rateLimited: known.rateLimited + (isLimited ? 1 : 0),
        inFlight: Math.max(0, known.inFlight - 1),
      })
    },
  }
}
