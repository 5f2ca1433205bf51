// Holders of one tenant's leases before a store that takes time to answer, on a clock of their own.

import type { LimitReport } from '../../src/limits/limit-report.ts'
import type { TenantLimits } from '../../src/limits/meters.ts'
import { LimitAccount } from '../../src/store/limit-account.ts'
import type { Admitted, LimitOutcome } from '../../src/store/limit-outcome.ts'
import { createMemoryLimitStore } from '../../src/store/memory-limits.ts'
import { VirtualTime } from './virtual-time.ts'

export interface LimitBench {
  readonly time: VirtualTime
  /** Reports that reached the store, in order. */
  readonly reports: readonly LimitReport[]
  readonly failures: unknown[]
  /** How long the store takes, there and back. */
  latencyMs: number
  /** Whether the store answers at all, and how not: at once with an error, or never. */
  store: 'up' | 'down' | 'silent'
  limits: TenantLimits
  holder(name: string): Holder
}

export interface Holder {
  /** What the limits say to one request; a promise where the store had to be asked. */
  admit(tokens?: number): LimitOutcome | Promise<LimitOutcome>
  /** The same, waited for with as much time as it takes. */
  outcome(tokens?: number): Promise<LimitOutcome>
  /** A request that has to get through. */
  enter(tokens?: number): Promise<Admitted>
  inFlight(): number
}

export const limitsOf = (given: Partial<TenantLimits>): TenantLimits => ({
  rateLimitRps: null,
  maxConcurrent: null,
  tokensPerMinute: null,
  ...given,
})

export function limitBench(given: Partial<TenantLimits>): LimitBench {
  const time = new VirtualTime()
  const real = createMemoryLimitStore(time.now)
  const reports: LimitReport[] = []
  const failures: unknown[] = []

  async function lease(report: LimitReport) {
    if (bench.store === 'down') throw new Error('no such object')
    if (bench.store === 'silent') return new Promise<never>(() => {})
    // What crosses the line is a copy.
    const sent = structuredClone(report)
    await time.pause(bench.latencyMs / 2)
    reports.push(sent)
    const answer = structuredClone(real.leaseNow(sent))
    await time.pause(bench.latencyMs / 2)
    return answer
  }

  const bench: LimitBench = {
    time,
    reports,
    failures,
    latencyMs: 10,
    store: 'up',
    limits: limitsOf(given),
    holder(name) {
      const account = new LimitAccount(
        {
          store: { leaseNow: null, lease },
          tenant: 't',
          holder: name,
          now: time.now,
          after: time.after,
          onStoreFailed: (cause) => void failures.push(cause),
        },
        bench.limits,
      )
      const admit = (tokens = 0) => account.admit(bench.limits, { tokens }, () => {})
      async function outcome(tokens = 0): Promise<LimitOutcome> {
        const asked = Promise.resolve(admit(tokens))
        let isDone = false
        void asked.then(() => (isDone = true))
        for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 5) {
          await time.advance(0)
          if (isDone) break
          await time.advance(5)
        }
        return asked
      }
      async function enter(tokens = 0): Promise<Admitted> {
        const said = await outcome(tokens)
        if (said.kind === 'refused') throw new Error(`refused for ${JSON.stringify(said.refusal)}`)
        return said
      }
      return { admit, outcome, enter, inFlight: () => account.inFlight() }
    },
  }
  return bench
}
