import { expect, test } from 'vitest'
import type { TenantConfig } from '../config/config.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { DecisionRecord } from '../record/schema.ts'
import { createTenantCounters } from './tenant-counters.ts'

// What the counters look at; the rest of an exchange and of a record is nothing to them.
const opened = (tenant: string | null) =>
  ({ tenant: tenant === null ? null : ({ name: tenant } as TenantConfig) }) as unknown as Exchange
const closed = (given: Partial<DecisionRecord>) => given as DecisionRecord

test('counts what began, what is under way, and what met a limit', () => {
  const counters = createTenantCounters()
  for (let at = 0; at < 3; at += 1) counters.recordOpened(opened('search'))
  counters.recordOpened(opened(null))
  expect(counters.of('search')).toEqual({ requests: 3, rateLimited: 0, inFlight: 3 })
  counters.recordClosed(closed({ tenant: 'search', status: 200 }), null, opened(null))
  counters.recordClosed(closed({ tenant: 'search', status: 429, error: 'rate_limited' }), null, opened(null))
  counters.recordClosed(closed({ status: 200 }), null, opened(null))
  expect(counters.of('search')).toEqual({ requests: 3, rateLimited: 1, inFlight: 1 })
  expect(counters.of('nobody')).toEqual({ requests: 0, rateLimited: 0, inFlight: 0 })
})

test('a worker that is rate-limited itself is no limit of the tenant', () => {
  const counters = createTenantCounters()
  counters.recordOpened(opened('search'))
  counters.recordClosed(closed({ tenant: 'search', status: 429 }), null, opened(null))
  expect(counters.of('search').rateLimited).toBe(0)
})
