// LimitStore over the Durable Objects of class `TenantLimits`, as an isolate sees them: one object a tenant.

import type { LimitLease, LimitReport } from '../limits/limit-report.ts'
import type { LimitStore } from './limit-store.ts'

/** The methods of a `TenantLimits` object that others call. */
export interface TenantStub {
  lease(report: LimitReport): Promise<LimitLease>
}

/** A namespace of such objects: gives a stub by name. Stubs belong to one request, so each call asks anew. */
export type TenantNamespace = (objectName: string) => TenantStub

export const tenantObjectName = (pool: string, tenant: string): string => `${pool}/${tenant}`

export interface DurableLimitsOptions {
  readonly namespace: TenantNamespace
  readonly pool: string
}

export function createDurableLimitStore({ namespace, pool }: DurableLimitsOptions): LimitStore {
  return {
    leaseNow: null,
    // Async, so that a namespace that throws rejects as an object that can't be reached does.
    lease: async (report) => namespace(tenantObjectName(pool, report.tenant)).lease(report),
  }
}
