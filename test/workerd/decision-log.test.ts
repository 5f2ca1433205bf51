// The objects that keep decision records: what they have acknowledged survives them and a bucket that fails, and is in the
// bucket once.

import { evictAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DecisionLog } from '../../src/runtime/cloudflare-decision-log.ts'
import type { DecisionPage, Position } from '../../src/store/decision-log.ts'
import { compareInList, positionOf } from '../../src/store/decision-position.ts'
import { DECISION_SHARDS } from '../../src/store/decision-shard.ts'
import { isSampled } from '../../src/store/export-sample.ts'
import {
  BEGIN_MS,
  decisionId,
  openRecordNumber,
  recordNumber,
  recordNumbers,
  viewOf,
} from '../support/made-up-records.ts'
import { batchesOf, createLog, isolateOf, type LogRig, SETTINGS } from './decision-log-rig.ts'
import { bucketFaults } from './faulty-bucket.ts'
import { type LoggedEntry, watchLog } from './watch-log.ts'

/** Far ahead of the real clock, so that alarms run when a test runs them and not by themselves. */
let nowMs = 0
let told: readonly LoggedEntry[] = []
let toldBefore = 0

beforeEach(() => {
  nowMs = Date.now() + 3_600_000
  toldBefore = 0
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs)
  told = watchLog()
})

afterEach(() => {
  vi.restoreAllMocks()
})

const ids = (from: number, to: number) => recordNumbers(from, to).map((record) => record.decision_id)
const idOf = (line: string) => (JSON.parse(line) as { decision_id: string }).decision_id
const exportedIds = async (log: LogRig) => (await log.exportedLines()).map(idOf)
const events = () => told.slice(toldBefore).map(({ event }) => event)

/** The first of these records that one shard keeps. */
function idsOfShard(shard: number, count: number): readonly number[] {
  const numbers = Array.from({ length: count * DECISION_SHARDS * 4 }, (_, n) => n)
  return numbers.filter((n) => isolateOf(decisionId(n)) === shard).slice(0, count)
}

describe('what was acknowledged', () => {
  test('survives the objects', async () => {
    const log = createLog()
    await log.store.append(recordNumbers(0, 200), [viewOf('gpu-a')])
    await evictAllDurableObjects()
    expect(await log.store.find(decisionId(77))).toEqual(recordNumber(77))
    await log.store.append(recordNumbers(200, 300), [])
    await evictAllDurableObjects()
    await log.settle()
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 300)].sort())
  })

  test('survives an object that breaks off', async () => {
    const log = createLog()
    await log.store.append(recordNumbers(0, 100), [])
    for (let number = 0; number < DECISION_SHARDS; number += 1) {
      const broken = runInDurableObject(log.shard(number), (_object, state) => state.abort('as a test wants it'))
      await expect(broken).rejects.toThrow()
    }
    await log.settle()
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 100)].sort())
  })

  test('survives a bucket that fails: it is tried again, kept, and told of once', async () => {
    const log = createLog()
    bucketFaults.put = 'R2 is out to lunch'
    for (let round = 0; round < 5; round += 1) {
      await log.store.append(recordNumbers(round * 100, round * 100 + 100), [])
      await log.settle()
      await evictAllDurableObjects()
    }
    await log.settle()
    const failing = await log.store.status()
    expect(failing).toMatchObject({ stored: 500, exported: 0, waiting: 500, lost: 0 })
    expect(failing.failing).toContain('R2 is out to lunch')
    expect(await log.store.find('req-123')).toEqual(recordNumber(123))
    toldBefore = told.length
    await log.settle()
    expect(events()).toEqual([])
    bucketFaults.put = null
    await log.settle()
    expect(events()).toEqual(Array(DECISION_SHARDS).fill('decision_log_recovered'))
    expect(await log.store.status()).toMatchObject({ stored: 500, exported: 500, waiting: 0, failing: null })
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 500)].sort())
  })

  test('is asked of a failing bucket less and less often', async () => {
    const log = createLog()
    bucketFaults.put = 'no'
    const [n = 0] = idsOfShard(0, 1)
    await log.store.append([recordNumber(n)], [])
    const waits: number[] = []
    for (let tries = 0; tries < 12; tries += 1) {
      await runDurableObjectAlarm(log.shard(0))
      const atMs = await runInDurableObject(log.shard(0), (_object, state) => state.storage.getAlarm())
      waits.push((atMs ?? 0) - nowMs)
    }
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(waits.at(-1)).toBe(300_000)
  })

  test('is in the bucket once, however often an alarm runs', async () => {
    const log = createLog()
    await log.store.append(recordNumbers(0, 100), [])
    await log.settle()
    const written = [...bucketFaults.written]
    for (let number = 0; number < DECISION_SHARDS; number += 1) {
      await runInDurableObject(log.shard(number), (object) => object.alarm())
      await runInDurableObject(log.shard(number), (object) => object.alarm())
    }
    expect(bucketFaults.written).toEqual(written)
    expect(new Set(written).size).toBe(written.length)
    expect(await log.exportedLines()).toHaveLength(100)
  })

  test('is in the bucket once when the bucket has it and nobody heard, even over a new life of the object', async () => {
    const log = createLog()
    await log.store.append(recordNumbers(0, 100), [])
    bucketFaults.losesAnswers = true
    await log.settle()
    expect(await log.store.status()).toMatchObject({ exported: 0, waiting: 100 })
    await log.store.append(recordNumbers(100, 200), [])
    await evictAllDurableObjects()
    await log.settle()
    bucketFaults.losesAnswers = false
    await log.settle()
    expect(await log.store.status()).toMatchObject({ exported: 200, waiting: 0, failing: null })
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 200)].sort())
  })

  test('is not written over something else that has its key', async () => {
    const log = createLog()
    const [n = 0] = idsOfShard(0, 1)
    const key = `${log.pool}/decisions/2026-08-01/${recordNumber(n).timestamp.slice(11).replace(/[:.]/g, '')}-0-1-1.jsonl`
    await env.DECISIONS.put(key, 'of another life\n')
    await log.store.append([recordNumber(n)], [])
    await log.settle()
    expect(await (await env.DECISIONS.get(key))?.text()).toBe('of another life\n')
    const [own = ''] = (await log.keys()).filter((name) => name !== key)
    expect(await (await env.DECISIONS.get(own))?.text()).toBe(`${JSON.stringify(recordNumber(n))}\n`)
  })

  test('comes twice where an answer was lost, and is kept once', async () => {
    const log = createLog()
    const records = idsOfShard(3, 20).map((n) => recordNumber(n))
    const lines = records.map((record) => JSON.stringify(record))
    const settings = { ...SETTINGS, prefix: `${log.pool}/` }
    await log.shard(3).append(batchesOf(records.slice(0, 15)), settings)
    await log.shard(3).append(batchesOf(records.slice(5)), settings)
    await log.settle()
    await log.shard(3).append(batchesOf(records), settings)
    await log.settle()
    expect(await log.exportedLines()).toEqual(lines)
  })
})

describe('what came long ago', () => {
  /** Three thousand records of one object, of which a thousand are left in it. */
  async function fillShard(log: LogRig) {
    const settings = { ...SETTINGS, prefix: `${log.pool}/` }
    const records = recordNumbers(0, 3_000)
    for (let from = 0; from < 3_000; from += 250) {
      await log.shard(3).append(batchesOf(records.slice(from, from + 250)), settings)
    }
    return { settings, records }
  }

  test('is known when it comes again, in another life of its object', async () => {
    const log = createLog()
    const { settings, records } = await fillShard(log)
    await log.settle()
    await evictAllDurableObjects()
    await log.shard(3).append(batchesOf([...records.slice(100, 150), recordNumber(3_000)]), settings)
    await log.settle()
    expect(await exportedIds(log)).toEqual(ids(0, 3_001))
    expect(await log.shard(3).status()).toMatchObject({ stored: 3_001, exported: 3_001 })
  })

  test('is listed in order, page after page, however batches overlap in time', async () => {
    const log = createLog()
    const settings = { ...SETTINGS, prefix: `${log.pool}/` }
    // Each batch has records of the whole time, ten of each moment.
    const records = recordNumbers(0, 2_000).map((record, n) => ({
      ...record,
      timestamp: new Date(BEGIN_MS + Math.floor(n / 10) * 1_000).toISOString(),
    }))
    for (let batch = 0; batch < 40; batch += 1) {
      await log.shard(3).append(batchesOf(records.filter((_, n) => n % 40 === batch)), settings)
      if (batch % 15 === 14) await runDurableObjectAlarm(log.shard(3))
    }
    const listed: string[] = []
    let end: Position | null = null
    do {
      const page: DecisionPage = await log
        .shard(3)
        .query({ filters: { model: 'llama-3.1-8b' }, after: end, limit: 137 })
      listed.push(...page.records.map((record) => record.decision_id ?? ''))
      ;({ end } = page)
    } while (end !== null)
    const wanted = records.filter(({ model }) => model === 'llama-3.1-8b')
    const expected = wanted.toSorted((one, other) => compareInList(positionOf(one), positionOf(other)))
    expect(expected.length).toBeGreaterThan(100)
    expect(listed).toEqual(expected.map((record) => record.decision_id))
  })

  test('is handed to whoever surveyed it before the bucket had it', async () => {
    const log = createLog()
    const { settings } = await fillShard(log)
    const range = { sinceMs: BEGIN_MS + 10_000, untilMs: BEGIN_MS + 2_900_000 }
    const { exportedThrough, takenThrough } = await log.shard(3).survey(range)
    const lines: string[] = []
    for (let after = exportedThrough, round = 0; after < takenThrough; round += 1) {
      const part = await log.shard(3).unexported({ range, after, through: takenThrough })
      lines.push(...part.lines)
      ;({ after } = part)
      if (round !== 1) continue
      // Meanwhile it is written, and newer ones take its place.
      await log.shard(3).append(batchesOf(recordNumbers(3_000, 4_100)), settings)
      await log.settle()
    }
    expect(lines.map(idOf)).toEqual(ids(10, 2_900))
  })
})

describe('long records', () => {
  test('are kept as far as a row can hold them, and handed out in parts that a call can carry', async () => {
    const log = createLog()
    const settings = { ...SETTINGS, prefix: `${log.pool}/` }
    const long = 'x'.repeat(1_890_000)
    // More than the 32 MiB that a call can carry.
    for (let n = 0; n < 19; n += 1) {
      const batches = batchesOf([recordNumber(n, { request_text: long })])
      await log.shard(2).append(batches, settings)
    }
    const listed: string[] = []
    let end: Position | null = null
    do {
      const page: DecisionPage = await log.shard(2).query({ filters: {}, after: end, limit: 100 })
      listed.push(...page.records.map((record) => record.decision_id ?? ''))
      ;({ end } = page)
    } while (end !== null)
    expect(listed).toEqual(ids(0, 19).toReversed())
    const exported: string[] = []
    for await (const lines of log.store.exportRange({ sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER }))
      exported.push(...lines.trimEnd().split('\n').map(idOf))
    expect(exported).toEqual(ids(0, 19))
  })
})

describe('a view document', () => {
  test('that a row can not hold is passed over, whatever characters it is of', async () => {
    const log = createLog()
    await log.shard(1).putView('long', JSON.stringify({ text: '文'.repeat(600_000) }), SETTINGS)
    const kept = await runInDurableObject(log.shard(1), (_object, { storage: { sql } }) =>
      sql.exec('SELECT hash FROM views').toArray(),
    )
    expect(kept).toEqual([])
  })
})

describe('an object of a version that had a row for each record', () => {
  test('begins anew, beside the segments that it wrote', async () => {
    const log = createLog()
    await log.store.append([recordNumber(0)], [])
    await log.settle()
    const shard = log.shard(isolateOf(decisionId(0)))
    await runInDurableObject(shard, (_object, { storage: { sql } }) => {
      for (const table of ['decisions', 'counters', 'open_requests']) sql.exec(`CREATE TABLE ${table} (seq INTEGER)`)
      for (const table of ['batches', 'segment_index', 'progress', 'under_way']) sql.exec(`DROP TABLE ${table}`)
      sql.exec('INSERT INTO segments VALUES (2, 5, ?, 0, 1, 4, 400, 0)', 'never written')
    })
    await evictAllDurableObjects()
    await shard.append(batchesOf([recordNumber(1)]), { ...SETTINGS, prefix: `${log.pool}/` })
    await log.settle()
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 2)].sort())
    const exported: string[] = []
    for await (const lines of log.store.exportRange({ sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER }))
      exported.push(lines)
    expect(exported.join('').trimEnd().split('\n').map(idOf).sort()).toEqual([...ids(0, 2)].sort())
  })
})

describe('the bucket', () => {
  test('has segments by day, named by time, shard and number, and views beside them', async () => {
    const log = createLog()
    const view = viewOf('gpu-a')
    await log.store.append(
      recordNumbers(0, 50).map((record) => ({ ...record, view_hash: view.view_hash })),
      [view],
    )
    await log.settle()
    const keys = await log.keys()
    expect(keys.length).toBeGreaterThan(3)
    for (const key of keys) {
      expect(key).toMatch(new RegExp(`^${log.pool}/decisions/2026-08-01/\\d{9}Z-[0-7]-1-\\d+\\.jsonl$`))
    }
    const document = await env.DECISIONS.get(`${log.pool}/views/${view.view_hash}.json`)
    expect(await document?.json()).toEqual(view)
  })

  test('has nothing but a prefix of its own choice before its keys', async () => {
    const log = createLog({ prefix: '' })
    await log.store.append([recordNumber(0)], [])
    await log.settle()
    expect(await log.keys()).toHaveLength(1)
  })

  test('gets a share of the decisions where the export is thinned; the last ones are listed all the same', async () => {
    const log = createLog({ exportSample: 0.25 })
    await log.store.append(recordNumbers(0, 1_000), [])
    await log.settle()
    const expected = ids(0, 1_000).filter((id) => isSampled(id, 0.25))
    expect((await exportedIds(log)).sort()).toEqual([...expected].sort())
    const { records } = await log.store.query({ filters: {}, after: null, limit: 1_000 })
    expect(records).toHaveLength(1_000)
    expect(await log.store.status()).toMatchObject({ stored: 1_000, exported: expected.length, waiting: 0 })
  })

  test('is asked for one part of one segment when a record is looked for', async () => {
    const log = createLog()
    for (let from = 0; from < 12_000; from += 1_000) {
      await log.store.append(recordNumbers(from, from + 1_000), [])
      await log.settle()
    }
    const gets: (R2GetOptions | undefined)[] = []
    for (let number = 0; number < DECISION_SHARDS; number += 1) {
      await runInDurableObject(log.shard(number), (object) => {
        const bucket = (Reflect.get(object, 'env') as { DECISIONS: R2Bucket }).DECISIONS
        const get = bucket.get.bind(bucket) as (key: string, options?: R2GetOptions) => Promise<R2ObjectBody | null>
        bucket.get = ((key: string, options?: R2GetOptions) => (gets.push(options), get(key, options))) as never
      })
    }
    expect(await log.store.find(decisionId(17))).toEqual(recordNumber(17))
    expect(await log.store.find('req-18')).toEqual(recordNumber(18))
    expect(gets).toHaveLength(2)
    for (const options of gets)
      expect(options).toMatchObject({ range: { length: expect.toSatisfy((length: number) => length < 1_000) } })
    // By time: a part of each object's segment of then, whatever else there is.
    gets.length = 0
    const filters = { sinceMs: BEGIN_MS + 1_020_000, untilMs: BEGIN_MS + 1_060_000 }
    const { records } = await log.store.query({ filters, after: null, limit: 100 })
    expect(records.map((record) => record.decision_id)).toEqual(ids(1_020, 1_060).toReversed())
    expect(await log.keys()).toHaveLength(12 * DECISION_SHARDS)
    expect(gets.length).toBeLessThanOrEqual(DECISION_SHARDS)
    for (const options of gets)
      expect(options).toMatchObject({ range: { length: expect.toSatisfy((length: number) => length < 40_000) } })
  })

  test('that can not be read fails the question, and neither newer records nor the log', async () => {
    const log = createLog()
    for (let from = 0; from < 12_000; from += 1_000) {
      await log.store.append(recordNumbers(from, from + 1_000), [])
      await log.settle()
    }
    bucketFaults.get = 'R2 is out to lunch'
    await expect(log.store.find(decisionId(3))).rejects.toThrow('out to lunch')
    expect(await log.store.find(decisionId(11_900))).toEqual(recordNumber(11_900))
    expect((await log.store.query({ filters: {}, after: null, limit: 50 })).records).toHaveLength(50)
    await log.store.append([recordNumber(12_000)], [])
    expect(await log.store.status()).toMatchObject({ stored: 12_001, lost: 0 })
  })

  test(
    'that takes nothing for very long makes objects refuse, and lose nothing that they took',
    { timeout: 60_000 },
    async () => {
      const log = createLog()
      const settings = { ...SETTINGS, prefix: `${log.pool}/` }
      bucketFaults.put = 'no'
      const long = 'x'.repeat(1_000_000)
      const taken: string[] = []
      let refusal: unknown = null
      for (let n = 0; n < 300 && refusal === null; n += 1) {
        const record = recordNumber(n, { request_text: long })
        try {
          await log.shard(0).append(batchesOf([record]), settings)
          taken.push(record.decision_id)
        } catch (error) {
          refusal = error
        }
      }
      expect(String(refusal)).toContain('no room')
      expect(taken.length).toBeGreaterThan(200)
      bucketFaults.put = null
      while ((await log.shard(0).status()).waiting > 0) await runDurableObjectAlarm(log.shard(0))
      expect((await exportedIds(log)).sort()).toEqual([...taken].sort())
    },
  )

  test('that nobody has bound leaves the last records, and no more', async () => {
    const { UNBOUND_DECISION_LOG: objects } = env
    const shard = objects.get(objects.idFromName('pool/decisions/0')) as unknown as DurableObjectStub<DecisionLog>
    for (let from = 0; from < 14_000; from += 500) {
      await shard.append(batchesOf(recordNumbers(from, from + 500)), SETTINGS)
    }
    while (await runDurableObjectAlarm(shard));
    expect(await shard.status()).toMatchObject({ stored: 14_000, exported: 0, waiting: 0, failing: null })
    expect(await shard.find(decisionId(6_000))).toEqual(recordNumber(6_000))
    expect(await shard.find(decisionId(5_999))).toBeNull()
    const left = await runInDurableObject(shard, (_object, state) =>
      state.storage.sql.exec<{ lines: number }>('SELECT SUM(lines) AS lines FROM batches').one(),
    )
    expect(left).toEqual({ lines: 8_000 })
  })
})

describe('what is kept for a time only', { timeout: 60_000 }, () => {
  const DAY_MS = 86_400_000

  /** Records of one day, written and exported on that day. */
  async function liveThrough(log: LogRig, day: number): Promise<void> {
    const timestamp = new Date(nowMs).toISOString()
    const view = viewOf(`gpu-${Math.floor(day / 4)}`)
    const records = recordNumbers(day * 40, day * 40 + 40).map((record) => ({
      ...record,
      timestamp,
      view_hash: view.view_hash,
    }))
    await log.store.append(records, [view])
    await log.settle()
    nowMs += DAY_MS
  }

  test('goes by age: segments, rows and views', async () => {
    const log = createLog({ retentionMs: 5 * DAY_MS })
    for (let day = 0; day < 12; day += 1) await liveThrough(log, day)
    await log.settle()
    const left = await exportedIds(log)
    expect(left).toContain(decisionId(11 * 40))
    expect(left).toContain(decisionId(8 * 40))
    expect(left).not.toContain(decisionId(5 * 40))
    expect(await log.store.find(decisionId(3 * 40))).toBeNull()
    expect(await log.store.find(decisionId(9 * 40))).not.toBeNull()
    expect(await log.store.findView(viewOf('gpu-0').view_hash)).toBeNull()
    expect(await log.store.findView(viewOf('gpu-2').view_hash)).toEqual(viewOf('gpu-2'))
    const views = await env.DECISIONS.list({ prefix: `${log.pool}/views/` })
    expect(views.objects.length).toBeLessThan(3)
  })

  test('goes although nothing comes any more', async () => {
    const log = createLog({ retentionMs: DAY_MS })
    await log.store.append(
      recordNumbers(0, 50).map((record) => ({ ...record, timestamp: new Date(nowMs).toISOString() })),
      [],
    )
    await log.settle()
    for (let hour = 0; hour < 30; hour += 1) {
      nowMs += 3_600_000
      for (let number = 0; number < DECISION_SHARDS; number += 1) await runDurableObjectAlarm(log.shard(number))
    }
    expect(await log.exportedLines()).toEqual([])
    expect(await log.store.query({ filters: {}, after: null, limit: 10 })).toEqual({ records: [], end: null })
  })

  test('stays when its bucket is bound no more, and nothing is woken for it again and again', async () => {
    const { UNBOUND_DECISION_LOG: objects } = env
    const shard = objects.get(objects.idFromName('pool/decisions/1')) as unknown as DurableObjectStub<DecisionLog>
    await runInDurableObject(shard, (_object, { storage: { sql } }) => {
      // As many as one call to the bucket deletes.
      for (let n = 1; n <= 1_000; n += 1)
        sql.exec('INSERT INTO segments VALUES (?, ?, ?, 0, 1, 1, 100, 1)', n, n, `key ${n}`)
    })
    await shard.append(batchesOf([recordNumber(0)]), { ...SETTINGS, retentionMs: DAY_MS })
    await runDurableObjectAlarm(shard)
    const atMs = await runInDurableObject(shard, (_object, { storage }) => storage.getAlarm())
    expect(atMs).toBe(nowMs + 3_600_000)
  })

  test('goes by size', async () => {
    const log = createLog({ retentionBytes: 100_000 })
    for (let day = 0; day < 20; day += 1) await liveThrough(log, day)
    const lines = await log.exportedLines()
    const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0)
    expect(bytes).toBeLessThan(140_000)
    expect(bytes).toBeGreaterThan(50_000)
    expect(lines.map(idOf)).toContain(decisionId(19 * 40))
  })
})

describe('what is kept by size only', () => {
  test('goes also when the last of it came within the hour, and nothing comes any more', async () => {
    const log = createLog({ retentionBytes: 100_000 })
    for (let from = 0; from < 1_200; from += 200) {
      await log.store.append(recordNumbers(from, from + 200), [])
      await log.settle()
      nowMs += 60_000
    }
    const heldBytes = async () => (await log.exportedLines()).reduce((sum, line) => sum + line.length + 1, 0)
    expect(await heldBytes()).toBeGreaterThan(200_000)
    for (let hour = 0; hour < 2; hour += 1) {
      nowMs += 3_600_000
      for (let number = 0; number < DECISION_SHARDS; number += 1) await runDurableObjectAlarm(log.shard(number))
    }
    expect(await heldBytes()).toBeLessThan(140_000)
    expect(await exportedIds(log)).toContain(decisionId(1_199))
    // And then there is nothing left to wake for.
    const alarms = Array.from({ length: DECISION_SHARDS }, (_, number) => runDurableObjectAlarm(log.shard(number)))
    expect(await Promise.all(alarms)).not.toContain(true)
  })
})

describe('requests under way', () => {
  test('are listed as such until they have ended', async () => {
    const log = createLog()
    await log.store.noteOpen([openRecordNumber(1), openRecordNumber(2)])
    await log.store.append([recordNumber(0)], [])
    const { records } = await log.store.query({ filters: {}, after: null, limit: 10 })
    expect(records.map((record) => record.lifecycle_state)).toEqual(['in_progress', 'in_progress', 'completed'])
    expect(await log.store.find('req-1')).toEqual(openRecordNumber(1))
    await log.store.append([recordNumber(1)], [])
    expect(await log.store.find('req-1')).toEqual(recordNumber(1))
    // Told of late: it has ended.
    await log.store.noteOpen([openRecordNumber(1)])
    expect(await log.store.find('req-1')).toEqual(recordNumber(1))
    await log.settle()
    expect((await exportedIds(log)).sort()).toEqual([...ids(0, 2)].sort())
  })

  test('are closed as unknown when nobody tells of them any more', async () => {
    const log = createLog()
    await log.store.noteOpen([openRecordNumber(1), openRecordNumber(2)])
    nowMs += 60_000
    await log.store.noteOpen([openRecordNumber(2)])
    await evictAllDurableObjects()
    nowMs += 60_000
    for (let number = 0; number < DECISION_SHARDS; number += 1) await runDurableObjectAlarm(log.shard(number))
    expect(await log.store.find('req-1')).toMatchObject({
      lifecycle_state: 'unknown',
      status: 0,
      timestamp: new Date(nowMs).toISOString(),
      duration_ms: Math.max(0, nowMs - BEGIN_MS - 1_000),
    })
    expect(await log.store.find('req-2')).toMatchObject({ lifecycle_state: 'in_progress' })
    await log.settle()
    expect(await exportedIds(log)).toEqual([decisionId(1)])
  })

  test('that come to an end after all leave the numbers of others as they are', async () => {
    const log = createLog()
    const settings = { ...SETTINGS, prefix: `${log.pool}/` }
    await log.shard(0).noteOpen([1, 2, 3].map(openRecordNumber), settings)
    await log.shard(0).append(batchesOf([recordNumber(0)]), settings)
    // A segment is settled without them: they may still be replaced.
    bucketFaults.put = 'not now'
    await runDurableObjectAlarm(log.shard(0))
    nowMs += 100_000
    await runDurableObjectAlarm(log.shard(0))
    const range = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER }
    const read = async (after: number) => {
      const { lines } = await log.shard(0).unexported({ range, after, through: 4 })
      return lines.map(idOf)
    }
    const [first, ...others] = await read(1)
    const ended = [1, 2, 3].map((n) => recordNumber(n)).filter((record) => record.decision_id === first)
    await log.shard(0).append(batchesOf(ended), settings)
    expect(await log.shard(0).find(first ?? '')).toMatchObject({ lifecycle_state: 'completed' })
    // Whoever has read the first goes on.
    expect(await read(2)).toEqual(others)
  })

  test('that come to an end after all say so, unless the export has them as unknown', async () => {
    const log = createLog()
    await log.store.noteOpen([openRecordNumber(1), openRecordNumber(2)])
    bucketFaults.put = 'not now'
    nowMs += 100_000
    for (let number = 0; number < DECISION_SHARDS; number += 1) await runDurableObjectAlarm(log.shard(number))
    expect(await log.store.find('req-2')).toMatchObject({ lifecycle_state: 'unknown' })
    await log.store.append([recordNumber(2)], [])
    bucketFaults.put = null
    await log.settle()
    await log.store.append([recordNumber(1)], [])
    await log.settle()
    const lines = await log.exportedLines()
    expect(lines.map(idOf).sort()).toEqual([decisionId(1), decisionId(2)].sort())
  })
})
