// LimitStore over the Durable Objects of class `TenantLimits`, as an isolate sees them: one object a tenant, or several that
// each hold an even part of the tenant's limits for their part of the isolates.

import type { LimitLease, LimitReport } from '../limits/limit-report.ts'
import { type IsolatePlace, ONLY_PLACE } from './isolate-place.ts'
import type { LimitStore } from './limit-store.ts'

/** The methods of a `TenantLimits` object that others call. */
export interface TenantStub {
  lease(report: LimitReport): Promise<LimitLease>
}

/** A namespace of such objects: gives a stub by name. Stubs belong to one request, so each call asks anew. */
export type TenantNamespace = (objectName: string) => TenantStub

export const tenantObjectName = (pool: string, tenant: string, { index, count }: IsolatePlace = ONLY_PLACE): string =>
  // The number is part of the name: what another division has leased is none of this one's.
  count === 1 ? `${pool}/${tenant}` : `${pool}/${tenant}/${index}-of-${count}`

export interface DurableLimitsOptions {
  readonly namespace: TenantNamespace
  readonly pool: string
  /** Which of a tenant's objects this isolate keeps to. */
  place?(): IsolatePlace
}

export function createDurableLimitStore({ namespace, pool, place }: DurableLimitsOptions): LimitStore {
  return {
    leaseNow: null,
    parts: () => place?.().count ?? 1,
    // Async, so that a namespace that throws rejects as an object that can't be reached does.
    lease: async (report) => namespace(tenantObjectName(pool, report.tenant, place?.())).lease(report),
  }
}
