// The Durable Object `TenantLimits`: one for each tenant that has limits. Leases them to isolates, and writes down just
// enough that its next life has no more to give than there was.

import { DurableObject } from 'cloudflare:workers'
import { type KeptLimits, LimitKeeper, resumeLimits } from '../limits/limit-keeping.ts'
import type { LimitLease, LimitReport } from '../limits/limit-report.ts'
import { createLimitState, leaseFrom, type LimitState } from '../limits/limit-state.ts'
import type { TenantStub } from '../store/durable-limits.ts'
import type { RouterEnv } from './cloudflare-env.ts'

const KEPT_KEY = 'limits'

export class TenantLimits extends DurableObject<RouterEnv> implements TenantStub {
  readonly #keeper = new LimitKeeper()
  readonly #state: LimitState = this.#resume()

  async lease(report: LimitReport): Promise<LimitLease> {
    const nowMs = Date.now()
    const lease = leaseFrom(this.#state, report, nowMs)
    const kept = this.#keeper.toKeep(this.#state, report.limits, nowMs)
    // Does not hold up the answer until it is on disk: what a crash in that moment loses is less than a second's leases.
    if (kept !== null) void this.ctx.storage.put(KEPT_KEY, kept, { allowUnconfirmed: true })
    return lease
  }

  #resume(): LimitState {
    const kept = this.ctx.storage.kv.get<KeptLimits>(KEPT_KEY)
    return kept === undefined ? createLimitState() : resumeLimits(kept, Date.now())
  }
}
