// The sharding rule holds for the code as it is, and calls to objects come from isolates and not from requests.

import { describe, expect, test } from 'vitest'
import { simulate } from './coordination.ts'
import { DEFAULT_COUNTS, MAX_CALLS_PER_SECOND, objectCountsFor } from './rule.ts'

const MEASURED_MS = 2_000

/** One store of a response in twenty requests. */
const STORED_SHARE = 0.05

describe('the rule', () => {
  test('asks for no more than the defaults where they suffice', () => {
    expect(objectCountsFor({ requestsPerSecond: 1_000, isolates: 64, keyedPerSecond: 50 })).toEqual(DEFAULT_COUNTS)
  })

  test('gives a large deployment more of each', () => {
    const counts = objectCountsFor({ requestsPerSecond: 100_000, isolates: 1_024, keyedPerSecond: 5_000 })
    expect(counts).toEqual({ replicas: 4, shards: 29, tenant_shards: 7, decision_groups: 7 })
  })

  // Few requests each: what is asked comes from isolates, and two seconds of them are enough to see it.
  test('keeps each object of 500 isolates below its calls', { timeout: 120_000 }, async () => {
    const traffic = { requestsPerSecond: 3_000, isolates: 500 }
    const counts = objectCountsFor({ requestsPerSecond: 100_000, isolates: 500, keyedPerSecond: 5_000 })
    const figures = await simulate({ ...traffic, counts, storedShare: STORED_SHARE }, MEASURED_MS)
    expect(figures).toMatchObject({ failedShare: 0, complaints: [] })
    expect(figures.requestsPerSecond).toBeGreaterThan(2_500)
    expect(figures.busiest).toBeLessThan(MAX_CALLS_PER_SECOND)
    expect(figures.kinds.tenant.callsPerSecond).toBeGreaterThan(MAX_CALLS_PER_SECOND)
  })
})

test(
  'ten times the requests are no more calls, but for those that belong to one request',
  { timeout: 60_000 },
  async () => {
    const deployment = { isolates: 8, counts: DEFAULT_COUNTS, storedShare: STORED_SHARE }
    const few = await simulate({ ...deployment, requestsPerSecond: 200 }, MEASURED_MS)
    const many = await simulate({ ...deployment, requestsPerSecond: 2_000 }, MEASURED_MS)
    expect(many.requestsPerSecond).toBeGreaterThan(1_800)
    for (const kind of ['root', 'replica', 'tenant', 'decisions'] as const) {
      expect(many.kinds[kind].callsPerSecond).toBeLessThan(1.5 * few.kinds[kind].callsPerSecond)
    }
    expect(many.kinds.responses.callsPerSecond).toBeGreaterThan(5 * few.kinds.responses.callsPerSecond)
  },
)
