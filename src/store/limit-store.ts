// The contract for what processes or isolates must agree on about a tenant's limits. Implementations: memory-limits.ts,
// durable-limits.ts, redis-limits.ts. The messages, and what makes them safe to lose or repeat, are in limits/limit-report.ts.

import type { LimitLease, LimitReport } from '../limits/limit-report.ts'

export interface LimitStore {
  /** `lease` where the limits are kept in this very process; null where asking for one takes a call. */
  readonly leaseNow: ((report: LimitReport) => LimitLease) | null
  /** Into how many even parts a tenant's limits are divided; a holder has to do with one. One where it is left out. */
  parts?(): number
  /** Files what a holder uses of its tenant's limits, and leases it more. */
  lease(report: LimitReport): Promise<LimitLease>
}
