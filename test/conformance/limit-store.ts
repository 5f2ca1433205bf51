// What every LimitStore must hold: called in one line per implementation, on Node and inside workerd alike, so nothing
// here names a runtime. Time is the rig's.

import { describe, expect, test } from 'vitest'
import type { LimitReport, MeterReport } from '../../src/limits/limit-report.ts'
import type { MeterName, PerMeter, TenantLimits } from '../../src/limits/meters.ts'
import type { LimitStore } from '../../src/store/limit-store.ts'

export interface LimitStoreRig {
  readonly store: LimitStore
  /** The same limits as another process or isolate sees them. */
  readonly elsewhere: LimitStore
  advance(ms: number): void
}

const NONE: MeterReport = { granted: 0, returned: 0, used: 0, refunded: 0, needed: 0, whole: 0, expected: 0 }

let revision = 0

interface Said {
  readonly limits: Partial<TenantLimits>
  readonly meters: PerMeter<Partial<MeterReport>>
  readonly tenant?: string
  readonly revision?: number
}

function reportOf(holder: string, { limits, meters, tenant = 't', ...said }: Said): LimitReport {
  revision += 1
  return {
    tenant,
    holder,
    revision: said.revision ?? revision,
    limits: { rateLimitRps: null, maxConcurrent: null, tokensPerMinute: null, ...limits },
    meters: Object.fromEntries(Object.entries(meters).map(([meter, own]) => [meter, { ...NONE, ...own }])),
  }
}

/** Runs the suite. `makeStore` gives limits that nobody has used before. */
export function limitStoreConformance(name: string, makeStore: () => Promise<LimitStoreRig>): void {
  async function granted(store: LimitStore, meter: MeterName, report: LimitReport): Promise<number | undefined> {
    return (await store.lease(report)).meters[meter]?.granted
  }

  describe(`limit store: ${name}`, () => {
    test('what one holder has, no other gets', async () => {
      const { store, elsewhere } = await makeStore()
      const limits = { rateLimitRps: 10, maxConcurrent: 3, tokensPerMinute: 600 }
      const all = { requests: { needed: 7 }, slots: { needed: 2 }, tokens: { needed: 500, whole: 500 } }
      const first = await store.lease(reportOf('a', { limits, meters: all }))
      expect(first.meters).toMatchObject({ requests: { granted: 7 }, slots: { granted: 2 }, tokens: { granted: 500 } })
      const second = await elsewhere.lease(reportOf('b', { limits, meters: all }))
      expect(second.meters).toMatchObject({ requests: { granted: 3 }, slots: { granted: 1 }, tokens: { granted: 500 } })
      expect(second.meters.tokens?.free).toBe(-400)
      expect(second.holders).toBe(2)
    })

    test('requests and tokens come back with time, slots with their holders', async () => {
      const { store, elsewhere, advance } = await makeStore()
      const limits = { rateLimitRps: 10, maxConcurrent: 1 }
      const used = { granted: 10, used: 10 }
      await store.lease(reportOf('a', { limits, meters: { requests: { needed: 10 }, slots: { needed: 1 } } }))
      await store.lease(reportOf('a', { limits, meters: { requests: used, slots: { granted: 1, used: 1 } } }))
      advance(500)
      const meters = { requests: { needed: 10 }, slots: { needed: 1 } }
      const later = await elsewhere.lease(reportOf('b', { limits, meters }))
      expect(later.meters).toMatchObject({ requests: { granted: 5 }, slots: { granted: 0, retryAfterMs: 100 } })
      await store.lease(reportOf('a', { limits, meters: { slots: { granted: 1, returned: 1 } } }))
      expect(await granted(elsewhere, 'slots', reportOf('b', { limits, meters }))).toBe(1)
    })

    test('a report that comes twice, or late, does no harm', async () => {
      const { store } = await makeStore()
      const limits = { rateLimitRps: 10 }
      const early = reportOf('a', { limits, meters: { requests: { needed: 4 } } })
      expect(await granted(store, 'requests', early)).toBe(4)
      expect(await granted(store, 'requests', early)).toBe(4)
      const late = reportOf('a', { limits, meters: { requests: { granted: 4, returned: 4 } } })
      const latest = reportOf('a', { limits, meters: { requests: { granted: 4, used: 4, needed: 1 } } })
      expect(await granted(store, 'requests', latest)).toBe(5)
      expect((await store.lease(late)).meters.requests).toMatchObject({ granted: 5, returned: 0, free: 5 })
    })

    test('tenants share nothing', async () => {
      const { store } = await makeStore()
      const said = { limits: { maxConcurrent: 1 }, meters: { slots: { needed: 1 } } }
      expect(await granted(store, 'slots', reportOf('a', { ...said, tenant: 'one' }))).toBe(1)
      expect(await granted(store, 'slots', reportOf('a', { ...said, tenant: 'other' }))).toBe(1)
      expect(await granted(store, 'slots', reportOf('b', { ...said, tenant: 'one' }))).toBe(0)
    })

    test('limits hold as the last report has them', async () => {
      const { store } = await makeStore()
      const meters = { slots: { needed: 9 } }
      expect(await granted(store, 'slots', reportOf('a', { limits: { maxConcurrent: 2 }, meters }))).toBe(2)
      expect(await granted(store, 'slots', reportOf('a', { limits: { maxConcurrent: 5 }, meters }))).toBe(5)
      const fewer = reportOf('b', { limits: { maxConcurrent: 3 }, meters })
      expect((await store.lease(fewer)).meters.slots).toMatchObject({ granted: 0, free: -2 })
    })
  })
}
