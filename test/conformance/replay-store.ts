// What every ReplayStore must hold: called in one line per implementation, on Node and inside workerd alike, so nothing here
// names a runtime.

import { describe, expect, test } from 'vitest'
import type { ReplayRecord } from '../../src/capture/replay-record.ts'
import type { Position } from '../../src/store/decision-log.ts'
import { parseCursor, toCursor } from '../../src/store/decision-position.ts'
import type { ReplayFilters, ReplayKeeping, ReplayStore } from '../../src/store/replay-store.ts'
import { BEGAN_MS, replayId, replayNumber, replayNumbers } from '../support/made-up-replays.ts'

export interface ReplayStoreRig {
  /** A way of its own to the same records: as another router beside the first has it. */
  open(): ReplayStore
}

const KEEPS: ReplayKeeping = { maxRecords: 1_000, ttlMs: null }
const TIME_MS = 10_000

const idsOf = (records: readonly ReplayRecord[]) => records.map(({ id }) => id)

async function listAll(store: ReplayStore, filters: ReplayFilters = {}, limit = 1_000) {
  const records: ReplayRecord[] = []
  let total = 0
  let after: Position | null = null
  do {
    const page = await store.list({ filters, after, offset: 0, limit })
    expect(page.records.length).toBeLessThanOrEqual(limit)
    records.push(...page.records)
    total = page.total
    // Through the form that callers hold it in.
    after = page.end === null ? null : parseCursor(toCursor(page.end))
  } while (after !== null)
  return { records, total }
}

/** Each call of `createRig` is a place of its own, with nothing in it. */
export function replayStoreConformance(name: string, createRig: () => Promise<ReplayStoreRig>): void {
  describe(`records of Router Replay in ${name}`, { timeout: 60_000 }, () => {
    const create = async () => (await createRig()).open()

    test('is empty at first', async () => {
      const store = await create()
      expect(await store.list({ filters: {}, after: null, offset: 0, limit: 10 })).toEqual({
        records: [],
        total: 0,
        end: null,
      })
      expect(await store.find(replayId(1))).toBeNull()
    })

    test('gives records back as they were, texts of every kind included', async () => {
      const store = await create()
      const record = replayNumber(1, {
        request_id: 'ö"\\\'\n\u2028𝄞',
        original_model: 'mödel "x" $1 \u0000',
        request_body: '{"a":"\\u0000 \u0000 \ud800 漢字 🚀 \' \\" $$ {}"}',
        response_body: '[]',
        tenant: "o'neill",
        decision: undefined,
      })
      await store.put('', [record], KEEPS)
      expect(await store.find(record.id)).toEqual(record)
      expect((await listAll(store)).records).toEqual([record])
      expect((await listAll(store, { tenant: "o'neill" })).records).toEqual([record])
    })

    test('a record of a known id takes the other’s place', async () => {
      const store = await create()
      await store.put('', replayNumbers(0, 3), KEEPS)
      await store.put('', [replayNumber(1, { response_status: 503 })], KEEPS)
      expect(await store.find(replayId(1))).toMatchObject({ response_status: 503 })
      expect(await listAll(store)).toMatchObject({ total: 3 })
    })

    test('lists newest first, also what came late, and ids decide at the same time', async () => {
      const store = await create()
      for (const n of [5, 1, 4, 2, 3]) await store.put('', [replayNumber(n)], KEEPS)
      const same = [7, 9, 8].map((n) => replayNumber(n, { timestamp: new Date(BEGAN_MS + 9_000).toISOString() }))
      for (const record of same) await store.put('', [record], KEEPS)
      expect(idsOf((await listAll(store)).records)).toEqual([9, 8, 7, 5, 4, 3, 2, 1].map(replayId))
    })

    test.each([1, 3, 7, 100])('pages of %i list every record once, while others come on top', async (limit) => {
      const store = await create()
      await store.put('', replayNumbers(0, 12, { decision: undefined }), KEEPS)
      await store.put('code', replayNumbers(12, 20, { decision: 'code' }), KEEPS)
      const seen: string[] = []
      let after: Position | null = null
      do {
        const page = await store.list({ filters: {}, after, offset: 0, limit })
        expect(page.total).toBe(20 + (after === null ? 0 : 1))
        seen.push(...idsOf(page.records))
        if (after === null) await store.put('', [replayNumber(100)], KEEPS)
        after = page.end
      } while (after !== null)
      expect(seen).toEqual(idsOf(replayNumbers(0, 20)).toReversed())
    })

    test('pages by offset', async () => {
      const store = await create()
      await store.put('', replayNumbers(0, 10), KEEPS)
      await store.put('code', replayNumbers(10, 15, { decision: 'code' }), KEEPS)
      const page = (offset: number, limit: number, filters: ReplayFilters = {}) =>
        store.list({ filters, after: null, offset, limit })
      expect(idsOf((await page(4, 3)).records)).toEqual([10, 9, 8].map(replayId))
      expect(await page(13, 10)).toMatchObject({ total: 15, end: null, records: [{}, {}] })
      expect(await page(15, 10)).toEqual({ total: 15, end: null, records: [] })
      expect(await page(500, 10)).toMatchObject({ total: 15, records: [] })
      expect(idsOf((await page(2, 2, { model: 'org/small' })).records)).toEqual([9, 7].map(replayId))
      expect((await page(2, 2, { model: 'org/small' })).total).toBe(7)
    })

    test('filters', async () => {
      const store = await create()
      await store.put(
        '',
        [
          replayNumber(0, { tenant: 'acme', worker: 'gpu-a@1' }),
          replayNumber(1, {
            method: 'rejected',
            response_status: 429,
            error: 'rate_limit_exceeded',
            worker: undefined,
          }),
          replayNumber(2, { session_id: '0123456789abcdef', streaming: true }),
          replayNumber(3, { from_cache: true, response_status: 503 }),
          replayNumber(4, { request_id: 'Needle-4', request_body: 'needle' }),
          replayNumber(5, { request_body: 'a needle' }),
        ],
        KEEPS,
      )
      await store.put('code', [replayNumber(6, { decision: 'code', original_model: 'gpt-4o' })], KEEPS)
      const cases: readonly (readonly [ReplayFilters, readonly number[]])[] = [
        [{ tenant: 'acme' }, [0]],
        [{ worker: 'gpu-a' }, [6, 5, 4, 3, 2, 0]],
        [{ status: { from: 400, to: 599 } }, [3, 1]],
        [{ sessionId: '0123456789abcdef' }, [2]],
        [{ decision: 'code' }, [6]],
        [{ model: 'gpt-4o' }, [6]],
        [{ cacheStatus: 'cached' }, [3]],
        [{ cacheStatus: 'streamed' }, [2]],
        [{ text: 'NEEDLE' }, [4]],
        [{ method: 'rejected' }, [1]],
        [{ sinceMs: BEGAN_MS + 2_000, untilMs: BEGAN_MS + 4_000 }, [3, 2]],
        [{ tenant: 'nobody' }, []],
      ]
      for (const [filters, expected] of cases) {
        const { records, total } = await listAll(store, filters, 2)
        expect([idsOf(records), total], JSON.stringify(filters)).toEqual([expected.map(replayId), expected.length])
      }
    })

    test('keeps no more of a decision than it is told, whatever another one keeps', async () => {
      const store = await create()
      const few = { ...KEEPS, maxRecords: 3 }
      for (let n = 0; n < 10; n += 1) await store.put('chatty', [replayNumber(n, { decision: 'chatty' })], few)
      await store.put('quiet', [replayNumber(10, { decision: 'quiet' })], { ...KEEPS, maxRecords: 1 })
      await store.put('', replayNumbers(20, 40), { ...KEEPS, maxRecords: 10 })
      expect(await listAll(store)).toMatchObject({ total: 14 })
      expect(idsOf((await listAll(store, { decision: 'chatty' })).records)).toEqual([9, 8, 7].map(replayId))
      expect(await store.find(replayId(6))).toBeNull()
      expect(await store.find(replayId(10))).not.toBeNull()
      expect(await store.find(replayId(29))).toBeNull()
      expect(await store.find(replayId(30))).not.toBeNull()
    })

    test('a smaller bound counts from the next write on', async () => {
      const store = await create()
      await store.put('', replayNumbers(0, 10), KEEPS)
      await store.put('', [replayNumber(10)], { ...KEEPS, maxRecords: 2 })
      expect(idsOf((await listAll(store)).records)).toEqual([10, 9].map(replayId))
    })

    test('records of two routers at the same time are all there, and bounded all the same', async () => {
      const rig = await createRig()
      const [one, other] = [rig.open(), rig.open()]
      await Promise.all(replayNumbers(0, 60).map((record, at) => (at % 2 === 0 ? one : other).put('', [record], KEEPS)))
      expect(idsOf((await listAll(one)).records)).toEqual(idsOf(replayNumbers(0, 60)).toReversed())
      const same = Array.from({ length: 20 }, (_, n) => replayNumber(70, { duration_ms: n }))
      await Promise.all(same.map((record, at) => (at % 2 === 0 ? one : other).put('', [record], KEEPS)))
      expect(await listAll(other)).toMatchObject({ total: 61 })
      const few = { ...KEEPS, maxRecords: 5 }
      await Promise.all(
        replayNumbers(100, 130).map((record, at) => (at % 2 === 0 ? one : other).put('', [record], few)),
      )
      expect((await listAll(one)).total).toBe(5)
    })

    test('forgets what is beyond its time', async () => {
      const store = await create()
      const ageMs = Date.now() - BEGAN_MS
      await store.put('', replayNumbers(0, 3), { ...KEEPS, ttlMs: ageMs - 60_000 })
      expect(await listAll(store)).toEqual({ records: [], total: 0 })
      expect(await store.find(replayId(1))).toBeNull()
      await store.put('', [replayNumber(10)], { ...KEEPS, ttlMs: ageMs + 3_600_000 })
      await store.put('code', [replayNumber(11, { decision: 'code' })], KEEPS)
      // It has a moment left.
      const untilMs = Date.now() + 1_500
      await store.put('', [replayNumber(12)], { ...KEEPS, ttlMs: untilMs - (BEGAN_MS + 12_000) })
      const giveUpAtMs = Date.now() + TIME_MS
      while ((await listAll(store)).total > 2 || (await store.find(replayId(12))) !== null) {
        if (Date.now() > giveUpAtMs) throw new Error('the record is still there')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(Date.now()).toBeGreaterThanOrEqual(untilMs)
      expect(idsOf((await listAll(store)).records)).toEqual([11, 10].map(replayId))
    })

    test('big records make short pages', async () => {
      const store = await create()
      const body = 'x'.repeat(512 * 1024)
      for (let n = 0; n < 24; n += 1) {
        await store.put('', [replayNumber(n, { request_body: body })], KEEPS)
      }
      const page = await store.list({ filters: {}, after: null, offset: 0, limit: 1_000 })
      expect(page.records.length).toBeGreaterThan(5)
      expect(page.records.length).toBeLessThan(24)
      expect(page).toMatchObject({ total: 24, end: { id: page.records.at(-1)?.id } })
      expect((await listAll(store)).records).toHaveLength(24)
      // By offset as well, where the first page has as many bodies as one answer holds.
      const last = await store.list({ filters: {}, after: null, offset: 22, limit: 1_000 })
      expect(idsOf(last.records)).toEqual([1, 0].map(replayId))
      expect(last).toMatchObject({ total: 24, end: null })
      await store.put('code', [replayNumber(30, { decision: 'code' })], KEEPS)
      const of = await store.list({ filters: {}, after: null, offset: 21, limit: 2 })
      expect(idsOf(of.records)).toEqual([3, 2].map(replayId))
      expect(of).toMatchObject({ total: 25, end: { id: replayId(2) } })
    })
  })
}
