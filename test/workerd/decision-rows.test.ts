// Rows written are what the objects of the decision log cost: as many as docs/bench/scale.md reckons with, and no more.

import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  ROWS_PER_BATCH,
  ROWS_PER_DELETED_SEGMENT,
  ROWS_PER_SEGMENT,
  ROWS_PER_TELLING,
  ROWS_PER_TOLD_END,
} from '../../bench/scale/decision-rows.ts'
import { openRecordNumber, recordNumbers } from '../support/made-up-records.ts'
import { batchesOf, createLog, type LogRig, SETTINGS } from './decision-log-rig.ts'

const DAY_MS = 86_400_000

let nowMs = 0

beforeEach(() => {
  nowMs = Date.now() + 3_600_000
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** Ten seconds of an object: so many batches, then its alarm. */
async function liveThrough(log: LogRig, from: number, { batches, records }: { batches: number; records: number }) {
  const settings = { ...SETTINGS, prefix: `${log.pool}/`, retentionMs: 20 * DAY_MS }
  const timestamp = new Date(nowMs).toISOString()
  for (let batch = 0; batch < batches; batch += 1) {
    const first = from + batch * records
    const own = recordNumbers(first, first + records).map((record) => ({ ...record, timestamp }))
    await log.shard(0).append(batchesOf(own), settings)
  }
  await runDurableObjectAlarm(log.shard(0))
  nowMs += 10_000
}

/** Rows that are written meanwhile, alarms apart. */
async function rowsWritten(log: LogRig, during: () => Promise<void>): Promise<number> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
  await runInDurableObject(log.shard(0), (_object, state) => {
    const sql = Object.getPrototypeOf(state.storage.sql) as SqlStorage
    const exec = Reflect.get(sql, 'exec') as SqlStorage['exec']
    vi.spyOn(sql, 'exec').mockImplementation(function (this: SqlStorage, ...given) {
      const cursor = exec.apply(this, given)
      cursors.push(cursor)
      return cursor as never
    })
  })
  await during()
  return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0)
}

test('a batch is written and goes, a segment has a few rows, and nothing is written for a record', async () => {
  const log = createLog()
  const busy = { batches: 10, records: 100 }
  // Until older batches go as new ones come.
  for (let round = 0; round < 3; round += 1) await liveThrough(log, round * 1_000, busy)
  const rows = await rowsWritten(log, () => liveThrough(log, 3_000, busy))
  expect(rows).toBe(10 * ROWS_PER_BATCH + ROWS_PER_SEGMENT)
  expect(await log.shard(0).status()).toMatchObject({ stored: 4_000, exported: 4_000, waiting: 0 })
})

test('a request under way is a row each time that it is told of, and one as it ends', async () => {
  const log = createLog()
  const settings = { ...SETTINGS, prefix: `${log.pool}/` }
  const open = Array.from({ length: 10 }, (_, n) => openRecordNumber(n))
  await log.shard(0).noteOpen(open, settings)
  const rows = await rowsWritten(log, async () => {
    await log.shard(0).noteOpen(open, settings)
    await log.shard(0).append(batchesOf(recordNumbers(0, 10)), settings)
  })
  expect(rows).toBe(10 * ROWS_PER_TELLING + 10 * ROWS_PER_TOLD_END + 1)
})

test('what retention deletes is a few rows a segment', async () => {
  const log = createLog()
  for (let round = 0; round < 20; round += 1) await liveThrough(log, round * 200, { batches: 2, records: 100 })
  const keys = await log.keys()
  expect(keys).toHaveLength(20)
  nowMs += 30 * DAY_MS
  const rows = await rowsWritten(log, async () => {
    await liveThrough(log, 5_000, { batches: 1, records: 1 })
  })
  expect(await log.keys()).toHaveLength(1)
  // The last thousand records were in their batches still.
  expect(rows).toBeLessThanOrEqual(20 * ROWS_PER_DELETED_SEGMENT + ROWS_PER_SEGMENT + 10 + ROWS_PER_BATCH)
})
