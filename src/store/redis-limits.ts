// LimitStore over Redis: each tenant's limits are one document there. A lease is worked out here, by the one state machine
// that every store has, and counts only if nobody changed the document meanwhile.

import type { LimitLease, LimitReport } from '../limits/limit-report.ts'
import { createLimitState, leaseFrom, type LimitState } from '../limits/limit-state.ts'
import type { LimitStore } from './limit-store.ts'
import type { RedisLink } from './redis-link.ts'

/** Long after the last report: a debt may take longer to pay off than a bucket to fill. */
const KEPT_MS = 86_400_000

/** Of those who try at the same time one gets through each time. */
const MAX_TRIES = 40

/** Writes the document if it is still the one that was read; `''` stands for none. */
const REPLACE = `
local known = redis.call('GET', KEYS[1]) or ''
if known ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

export interface RedisLimitsOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
}

export function createRedisLimitStore({ link, keyPrefix }: RedisLimitsOptions): LimitStore {
  async function leaseOnce(key: string, report: LimitReport): Promise<LimitLease | null> {
    // Sent together: one round trip.
    const [nowMs, known] = await Promise.all([link.timeMs(), link.get(key)])
    const state: LimitState = known === null ? createLimitState() : JSON.parse(known)
    const lease = leaseFrom(state, report, nowMs)
    const isWritten = await link.eval(REPLACE, { keys: [key], args: [known ?? '', JSON.stringify(state), KEPT_MS] })
    return isWritten === 1 ? lease : null
  }

  return {
    leaseNow: null,
    async lease(report) {
      const key = `${keyPrefix}:limits:${report.tenant}`
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const lease = await leaseOnce(key, report)
        if (lease !== null) return lease
      }
      throw new Error(`${MAX_TRIES} attempts to change the limits of one tenant in Redis met others`)
    },
  }
}
