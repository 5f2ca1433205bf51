import { describe, expect, test } from 'vitest'
import type { LimitReport, MeterReport } from './limit-report.ts'
import { createLimitState, HOLDER_TTL_MS, LAPSE_MS, leaseFrom } from './limit-state.ts'
import type { MeterName, PerMeter, TenantLimits } from './meters.ts'

const NONE: MeterReport = { granted: 0, returned: 0, used: 0, refunded: 0, needed: 0, whole: 0, expected: 0 }

function limitsOf(given: Partial<TenantLimits>): TenantLimits {
  return { rateLimitRps: null, maxConcurrent: null, tokensPerMinute: null, ...given }
}

/** Reports of one meter by holders with the names given, against one state. */
function bench(meter: MeterName, given: Partial<TenantLimits>) {
  const limits = limitsOf(given)
  const state = createLimitState()
  const revisions = new Map<string, number>()
  let nowMs = 1_000_000
  return {
    advance(ms: number) {
      nowMs += ms
    },
    report(holder: string, said: Partial<MeterReport>, other: Partial<LimitReport> = {}) {
      const revision = (revisions.get(holder) ?? 0) + 1
      revisions.set(holder, revision)
      const meters: PerMeter<MeterReport> = { [meter]: { ...NONE, ...said } }
      const lease = leaseFrom(state, { tenant: 't', holder, revision, limits, meters, ...other }, nowMs)
      const leased = lease.meters[meter]
      if (leased === undefined) throw new Error('no lease')
      return leased
    },
  }
}

describe('requests', () => {
  test('are leased as needed, and no more than the bucket holds', () => {
    const { report } = bench('requests', { rateLimitRps: 3 })
    expect(report('a', { needed: 2 })).toMatchObject({ granted: 2, free: 1, retryAfterMs: null })
    expect(report('b', { needed: 2 })).toMatchObject({ granted: 1, free: 0, retryAfterMs: expect.any(Number) })
  })

  test('say when there is one more', () => {
    const { report } = bench('requests', { rateLimitRps: 4 })
    report('a', { needed: 4 })
    expect(report('b', { needed: 1 }).retryAfterMs).toBeCloseTo(250)
  })

  test('of less than one a second come one at a time', () => {
    const { report, advance } = bench('requests', { rateLimitRps: 0.5 })
    expect(report('a', { needed: 1 }).granted).toBe(1)
    report('a', { granted: 1, used: 1 })
    expect(report('b', { needed: 1 })).toMatchObject({ granted: 0, retryAfterMs: 2_000 })
    advance(2_000)
    expect(report('b', { needed: 1 }).granted).toBe(1)
  })

  test('are leased ahead of need out of what is spare, by what each holder expects', () => {
    const { report } = bench('requests', { rateLimitRps: 100 })
    expect(report('a', { needed: 1, expected: 30 }).granted).toBe(31)
    // Half of the 69 that are left, of which this holder expects a quarter.
    expect(report('b', { expected: 10 }).granted).toBe(8)
  })

  test('that are left with a holder count as if they were free still', () => {
    const { report, advance } = bench('requests', { rateLimitRps: 10 })
    report('a', { needed: 6 })
    advance(1_000)
    // Full again but for what `a` could use at once.
    expect(report('b', { needed: 10 }).granted).toBe(4)
  })

  test('that were used come back from when it was said, not from when they were leased', () => {
    const { report, advance } = bench('requests', { rateLimitRps: 10 })
    report('a', { needed: 10 })
    advance(1_000)
    report('a', { granted: 10, used: 10 })
    expect(report('b', { needed: 10 }).granted).toBe(0)
    advance(500)
    expect(report('b', { needed: 10 }).granted).toBe(5)
  })

  test('given back can be leased at once', () => {
    const { report } = bench('requests', { rateLimitRps: 10 })
    report('a', { needed: 10 })
    report('a', { granted: 10, used: 2, returned: 8 })
    expect(report('b', { needed: 10 }).granted).toBe(8)
  })

  test('are not leased twice for a report that came twice, nor taken back by one that was overtaken', () => {
    const { report } = bench('requests', { rateLimitRps: 10 })
    expect(report('a', { needed: 3 }, { revision: 1 }).granted).toBe(3)
    expect(report('a', { needed: 3 }, { revision: 1 }).granted).toBe(3)
    expect(report('a', { granted: 3, used: 3, needed: 1 }, { revision: 3 }).granted).toBe(4)
    expect(report('a', { granted: 3, returned: 3 }, { revision: 2 })).toMatchObject({
      granted: 4,
      returned: 0,
      free: 6,
    })
  })

  test('in the hands of a holder that falls silent are lost, and come back from then on', () => {
    const { report, advance } = bench('requests', { rateLimitRps: 1 })
    report('a', { needed: 1 })
    advance(LAPSE_MS + 1)
    // It may have used it until the lease lapsed.
    expect(report('b', { needed: 1 }).granted).toBe(0)
    advance(1_000)
    expect(report('b', { needed: 1 }).granted).toBe(1)
    // The silent one learns what it lost.
    expect(report('a', { needed: 1 })).toMatchObject({ granted: 1, returned: 1 })
  })

  test('limits that change hold from the next report on', () => {
    const { report, advance } = bench('requests', { rateLimitRps: 100 })
    report('a', {})
    expect(report('a', { needed: 50 }, { limits: limitsOf({ rateLimitRps: 2 }) }).granted).toBe(2)
    advance(1_000)
    expect(report('b', { needed: 50 }, { limits: limitsOf({ rateLimitRps: 20 }) }).granted).toBe(18)
  })
})

describe('slots', () => {
  test('are never more than the limit, whoever has them', () => {
    const { report } = bench('slots', { maxConcurrent: 3 })
    expect(report('a', { needed: 2 }).granted).toBe(2)
    expect(report('b', { needed: 2 })).toMatchObject({ granted: 1, free: 0, retryAfterMs: 100 })
    expect(report('a', { granted: 2, used: 1, returned: 1 }).free).toBe(1)
    expect(report('b', { granted: 1, used: 1, needed: 1 }).granted).toBe(2)
  })

  test('stay with a holder that is silent for a while, and come back when it must be dead', () => {
    const { report, advance } = bench('slots', { maxConcurrent: 1 })
    report('a', { needed: 1 })
    advance(HOLDER_TTL_MS)
    expect(report('b', { needed: 1 }).granted).toBe(0)
    advance(1)
    expect(report('b', { needed: 1 }).granted).toBe(1)
  })

  test('of a holder that was taken for dead count again, as a debt', () => {
    const { report, advance } = bench('slots', { maxConcurrent: 2 })
    report('a', { needed: 2 })
    advance(HOLDER_TTL_MS + 1)
    report('b', { needed: 2 })
    expect(report('a', { granted: 2, used: 2 }).free).toBe(-2)
    expect(report('b', { granted: 2, used: 1, returned: 1 }).free).toBe(-1)
  })
})

describe('tokens', () => {
  test('are leased whole for one request while any are left, which leaves a debt', () => {
    const { report, advance } = bench('tokens', { tokensPerMinute: 600 })
    expect(report('a', { needed: 590, whole: 590 }).free).toBe(10)
    expect(report('b', { needed: 400, whole: 400 })).toMatchObject({ granted: 400, free: -390 })
    report('a', { granted: 590, used: 590 })
    report('b', { granted: 400, used: 400 })
    const refused = report('c', { needed: 1, whole: 1 })
    expect(refused).toMatchObject({ granted: 0 })
    // 391 tokens come back at 10 a second.
    expect(refused.retryAfterMs).toBeCloseTo(39_100)
    advance(39_101)
    expect(report('c', { needed: 1, whole: 1 }).granted).toBe(1)
  })

  test('for several requests leave a debt for one of them at most', () => {
    const { report } = bench('tokens', { tokensPerMinute: 100 })
    expect(report('a', { needed: 300, whole: 60 })).toMatchObject({ granted: 100, free: 0 })
    expect(report('b', { needed: 300, whole: 60 }).granted).toBe(0)
  })

  test('used beyond what was leased are a debt, told once', () => {
    const { report } = bench('tokens', { tokensPerMinute: 100 })
    report('a', { needed: 20, whole: 20 })
    expect(report('a', { granted: 20, used: 150 })).toMatchObject({ granted: 150, free: -50 })
    expect(report('a', { granted: 20, used: 150 })).toMatchObject({ granted: 150, free: -50 })
  })

  test('charged and not used go back to everybody, up to the limit', () => {
    const { report, advance } = bench('tokens', { tokensPerMinute: 600 })
    report('a', { needed: 500, whole: 500 })
    report('a', { granted: 500, used: 500 })
    expect(report('a', { granted: 500, used: 500, refunded: 450 }).free).toBe(550)
    advance(10_000)
    expect(report('a', { granted: 500, used: 500, refunded: 490 }).free).toBe(600)
  })
})
