import { describe, expect, test } from 'vitest'
import { LimitKeeper, resumeLimits, type KeptLimits } from './limit-keeping.ts'
import type { LimitLease, LimitReport, MeterReport } from './limit-report.ts'
import { createLimitState, LAPSE_MS, leaseFrom, type LimitState } from './limit-state.ts'
import type { PerMeter, TenantLimits } from './meters.ts'

const NONE: MeterReport = { granted: 0, returned: 0, used: 0, refunded: 0, needed: 0, whole: 0, expected: 0 }

/** A store that can be put away at any time: what it wrote down is all that its next life has. */
function store(given: Partial<TenantLimits>) {
  const limits = { rateLimitRps: null, maxConcurrent: null, tokensPerMinute: null, ...given }
  const revisions = new Map<string, number>()
  let nowMs = 1_000_000
  let state: LimitState = createLimitState()
  let keeper = new LimitKeeper()
  let kept: string | null = null
  let writes = 0
  return {
    writes: () => writes,
    advance(ms: number) {
      nowMs += ms
    },
    report(holder: string, said: PerMeter<Partial<MeterReport>>, other: Partial<LimitReport> = {}): LimitLease {
      const revision = (revisions.get(holder) ?? 0) + 1
      revisions.set(holder, revision)
      const meters = Object.fromEntries(Object.entries(said).map(([meter, own]) => [meter, { ...NONE, ...own }]))
      const lease = leaseFrom(state, { tenant: 't', holder, revision, limits, meters, ...other }, nowMs)
      const next = keeper.toKeep(state, limits, nowMs)
      if (next !== null) {
        writes += 1
        kept = JSON.stringify(next)
      }
      return lease
    },
    evict() {
      const parsed = kept === null ? null : (JSON.parse(kept) as KeptLimits)
      state = parsed === null ? createLimitState() : resumeLimits(parsed, nowMs)
      keeper = new LimitKeeper()
    },
  }
}

describe('a bucket that comes back', () => {
  test('is never full in the middle of a burst', () => {
    const { report, evict, advance } = store({ rateLimitRps: 10 })
    report('a', { requests: { needed: 10 } })
    report('a', { requests: { granted: 10, used: 10 } })
    evict()
    expect(report('b', { requests: { needed: 10 } }).meters.requests?.granted).toBe(0)
    advance(500)
    evict()
    expect(report('c', { requests: { needed: 10 } }).meters.requests?.granted).toBe(0)
  })

  test('is full after a while', () => {
    const { report, evict, advance } = store({ rateLimitRps: 10 })
    report('a', { requests: { needed: 10 } })
    report('a', { requests: { granted: 10, used: 10 } })
    evict()
    advance(LAPSE_MS + 2_000)
    expect(report('b', { requests: { needed: 10 } }).meters.requests?.granted).toBe(10)
  })

  test('has its debt still', () => {
    const { report, evict, advance } = store({ tokensPerMinute: 600 })
    report('a', { tokens: { needed: 10, whole: 10 } })
    report('a', { tokens: { granted: 10, used: 1_200 } })
    evict()
    advance(30_000)
    expect(report('b', { tokens: { needed: 1, whole: 1 } }).meters.tokens?.granted).toBe(0)
    advance(40_000)
    expect(report('b', { tokens: { needed: 1, whole: 1 } }).meters.tokens?.granted).toBe(1)
  })

  test('allows for leases that were not written down any more', () => {
    const { report, evict, advance } = store({ rateLimitRps: 80 })
    report('a', { requests: { needed: 10 } })
    // Within the margin of 10: not written down.
    report('b', { requests: { needed: 10 } })
    advance(2_000)
    evict()
    // Full again, but for what the two may use at once.
    expect(report('c', { requests: { needed: 80 } }).meters.requests?.granted).toBe(60)
  })

  test('writes down leases that go beyond its margin, though as much came back meanwhile', () => {
    const { report, evict, advance } = store({ rateLimitRps: 80 })
    report('a', { requests: { needed: 70 } })
    advance(1_000)
    report('a', { requests: { granted: 70, used: 70 } })
    for (const needed of [10, 20, 30]) {
      advance(250)
      report('b', { requests: { needed } })
    }
    advance(1_500)
    evict()
    // Full again, but for what `b` has, and for what may have been leased since that was written down.
    expect(report('c', { requests: { needed: 80 } }).meters.requests?.granted).toBeLessThanOrEqual(50)
  })

  test('does not take back what may have been leased again', () => {
    const { report, evict } = store({ rateLimitRps: 80 })
    report('a', { requests: { needed: 60 } })
    report('a', { requests: { granted: 60, returned: 9, used: 51 } })
    report('b', { requests: { needed: 9 } })
    evict()
    // 80 less 60 leased and the margin of 10; the 9 are with `b`.
    report('a', { requests: { granted: 60, returned: 9, used: 51 } })
    expect(report('c', { requests: { needed: 80 } }).meters.requests?.granted).toBeLessThanOrEqual(11)
  })

  test('leaves a lease its time, though the report that prolonged it was not written down', () => {
    const { report, evict, advance } = store({ rateLimitRps: 8 })
    report('a', { requests: { needed: 8 } })
    advance(900)
    report('a', { requests: { granted: 8 } })
    advance(2_400)
    evict()
    expect(report('b', { requests: { needed: 8 } }).meters.requests?.granted).toBe(0)
  })
})

describe('slots that come back', () => {
  test('are with those that had them', () => {
    const { report, evict } = store({ maxConcurrent: 3 })
    report('a', { slots: { needed: 2 } })
    evict()
    expect(report('b', { slots: { needed: 2 } }).meters.slots?.granted).toBe(1)
    report('a', { slots: { granted: 2, used: 1, returned: 1 } })
    expect(report('b', { slots: { granted: 1, used: 1, needed: 1 } }).meters.slots?.granted).toBe(2)
  })

  test('went from one holder to another: each lease is written down', () => {
    const { report, evict } = store({ maxConcurrent: 2 })
    report('a', { slots: { needed: 2 } })
    report('a', { slots: { granted: 2, used: 1, returned: 1 } })
    report('b', { slots: { needed: 1 } })
    evict()
    report('a', { slots: { granted: 2, returned: 2 } })
    expect(report('c', { slots: { needed: 2 } }).meters.slots?.granted).toBe(1)
  })

  test('are all free when the last was given back before', () => {
    const { report, evict } = store({ maxConcurrent: 1 })
    report('a', { slots: { needed: 1 } })
    report('a', { slots: { granted: 1, returned: 1 } })
    evict()
    expect(report('b', { slots: { needed: 1 } }).meters.slots?.granted).toBe(1)
  })
})

test('writes little: a busy tenant costs a few writes a second, however often holders report', () => {
  const { report, advance, writes } = store({ rateLimitRps: 1_000, tokensPerMinute: 1_000_000 })
  for (let tick = 0; tick < 1_000; tick++) {
    advance(10)
    const used = tick * 5
    report(`h${tick % 8}`, {
      requests: { granted: Math.floor(used / 8), used: Math.floor(used / 8), needed: 5 },
      tokens: { granted: Math.floor(used / 8), used: Math.floor(used / 8), needed: 20, whole: 20 },
    })
  }
  expect(writes()).toBeLessThan(10 * 10)
})
