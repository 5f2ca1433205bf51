// Tenants with limits: what passes, what is refused and how, and that everything comes back however requests end.

import { describe } from 'vitest'
import { type RuntimeName } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'
import { limitClients } from './http-limit-clients.ts'
import { limitRates } from './http-limit-rates.ts'
import { limitSlots } from './http-limit-slots.ts'
import { limitTokens } from './http-limit-tokens.ts'

export const CHAT = '/v1/chat/completions'

export const SLOTS = 2
export const RATE = 5
export const TOKENS = 2_000

/** Each suite has tenants of its own: what one uses must not be another's loss. */
const TENANTS = {
  free: {},
  rate: { rate_limit_rps: RATE },
  failing: { rate_limit_rps: RATE },
  slow: { rate_limit_rps: 1 },
  patient: { rate_limit_rps: 1 },
  impatient: { rate_limit_rps: 0.05 },
  slots: { max_concurrent: SLOTS },
  single: { max_concurrent: 1 },
  ending: { max_concurrent: SLOTS },
  tokens: { tokens_per_minute: TOKENS },
  counted: { tokens_per_minute: 1_000_000 },
} as const

export type TenantName = keyof typeof TENANTS

export interface LimitBench {
  readonly fleet: LiveFleet<'fast' | 'slow'>
  readonly runtime: RuntimeName
  /** Headers of a request by a tenant. */
  by(tenant: TenantName, more?: Readonly<Record<string, string>>): Record<string, string>
  keyOf(tenant: TenantName): string
  nextId(): string
}

export function limitsConformance(runtime: RuntimeName): void {
  describe(`limits on ${runtime}`, () => {
    const fleet = liveFleet(runtime, {
      workers: {
        fast: { models: ['fast'], outputTokens: 20 },
        // A stream of this lasts longer than any test.
        slow: { models: ['slow'], itlMs: 20, outputTokens: 100_000, maxNumSeqs: 1_000 },
      },
      config: (urls) => ({
        workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
        retry: { max_retries: 0 },
        api_keys: Object.entries(TENANTS).map(([name, limits]) => ({ name, key: keyOf(name), ...limits })),
      }),
    })
    let count = 0
    const bench: LimitBench = {
      fleet,
      runtime,
      by: (tenant, more = {}) => ({ authorization: `Bearer ${keyOf(tenant)}`, ...more }),
      keyOf,
      nextId: () => `${runtime}-limit-${(count += 1)}`,
    }
    limitRates(bench)
    limitSlots(bench)
    limitTokens(bench)
    limitClients(bench)
  })
}

function keyOf(tenant: string): string {
  return `key-of-${tenant}-0123456789`
}
