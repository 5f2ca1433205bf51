// A router with tenants that have limits, for the suites on them.

import { expect } from 'vitest'
import { type AdminClient, adminClient } from '../support/admin-client.ts'
import type { Answered } from '../support/ask.ts'
import { type RuntimeName, until } from '../support/launch.ts'
import { type LiveFleet, liveFleet } from '../support/live-fleet.ts'

export const CHAT = '/v1/chat/completions'

const ADMIN_KEY = 'admin-key-0123456789'

export const SLOTS = 2
export const RATE = 5
export const TOKENS = 2_000

/** Each suite has tenants of its own: what one uses must not be another's loss. */
const TENANTS = {
  free: {},
  rate: { rate_limit_rps: RATE },
  routes: { rate_limit_rps: 1 },
  failing: { rate_limit_rps: 1 },
  slow: { rate_limit_rps: 1 },
  patient: { rate_limit_rps: 1 },
  impatient: { rate_limit_rps: 0.05 },
  slots: { max_concurrent: SLOTS },
  single: { max_concurrent: 1 },
  ending: { max_concurrent: SLOTS },
  tokens: { tokens_per_minute: TOKENS },
  counted: { tokens_per_minute: 1_000_000 },
  changing: { rate_limit_rps: 1 },
} as const

export type TenantName = keyof typeof TENANTS

export interface LimitBench {
  readonly fleet: LiveFleet<'fast' | 'slow'>
  readonly runtime: RuntimeName
  /** Headers of a request by a tenant. */
  by(tenant: TenantName, more?: Readonly<Record<string, string>>): Record<string, string>
  keyOf(tenant: TenantName): string
  /** Loads the configuration anew, with other limits for some. */
  change(limits: Partial<Record<TenantName, object>>): Promise<void>
  readonly admin: AdminClient
  nextId(): string
}

/** Registers with the enclosing `describe`. */
export function limitBench(runtime: RuntimeName): LimitBench {
  const fleet = liveFleet(runtime, {
    workers: {
      fast: { models: ['fast'], outputTokens: 20 },
      // A stream of this lasts longer than any test.
      slow: { models: ['slow'], itlMs: 20, outputTokens: 100_000, maxNumSeqs: 1_000 },
    },
    config: (urls) => configOf(urls, TENANTS),
  })
  const admin = adminClient(() => fleet.url, ADMIN_KEY)
  let count = 0
  return {
    fleet,
    runtime,
    by: (tenant, more = {}) => ({ authorization: `Bearer ${keyOf(tenant)}`, ...more }),
    keyOf,
    admin,
    async change(limits) {
      const urls = { fast: fleet.worker('fast').url, slow: fleet.worker('slow').url }
      const changed = await admin.putConfig(configOf(urls, { ...TENANTS, ...limits }))
      expect(changed.status, changed.text).toBe(200)
    },
    nextId: () => `${runtime}-limit-${(count += 1)}`,
  }
}

function configOf(urls: Readonly<Record<string, string>>, tenants: Readonly<Record<string, object>>) {
  return {
    workers: Object.entries(urls).map(([id, url]) => ({ id, url })),
    retry: { max_retries: 0 },
    admin_api_key: ADMIN_KEY,
    allowed_worker_hosts: ['http://127.0.0.1:*'],
    api_keys: Object.entries(tenants).map(([name, limits]) => ({ name, key: keyOf(name), ...limits })),
  }
}

/** Asks until the limit refuses: on a slow machine what was used comes back between two requests. */
export async function untilRefused(ask: () => Promise<Answered>): Promise<Answered> {
  let answer = await ask()
  await until(
    async () => {
      if (answer.status !== 429) answer = await ask()
      return answer.status === 429
    },
    10_000,
    () => `never refused, but ${answer.status}`,
  )
  return answer
}

function keyOf(tenant: string): string {
  return `key-of-${tenant}-0123456789`
}
