// What every DecisionLogStore must hold: called in one line per implementation, on Node and inside workerd alike, so
// nothing here names a runtime.

import { describe, expect, test } from 'vitest'
import { readRecord } from '../../src/record/read-record.ts'
import { decisionRecordSchema } from '../../src/record/schema.ts'
import type {
  DecisionFilters,
  DecisionLogStore,
  Position,
  ReadableRecord,
  TimeRange,
} from '../../src/store/decision-log.ts'
import { parseCursor, toCursor } from '../../src/store/decision-position.ts'
import { BEGIN_MS, decisionId, recordNumber, recordNumbers, viewOf } from '../support/made-up-records.ts'

export interface DecisionLogRig {
  readonly store: DecisionLogStore
  /** Lets everything that was taken reach the export, where there is one. */
  settle(): Promise<void>
  /** Every line of the export, as whoever collects it finds it; null where there is none. */
  exportedLines(): Promise<readonly string[] | null>
}

const ALWAYS: TimeRange = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER }

type CreateRig = (options?: { readonly keeps?: number }) => Promise<DecisionLogRig>

/** `keeps`: how many records the store is asked to keep at least. */
export function decisionLogStoreConformance(name: string, createRig: CreateRig): void {
  describe(`decision log in ${name}`, () => {
    findingConformance(createRig)
    listingConformance(createRig)
    exportConformance(createRig)
  })
}

const idsOf = (records: readonly ReadableRecord[]) => records.map((record) => record.decision_id)

async function list(store: DecisionLogStore, filters: DecisionFilters, limit = 1_000): Promise<ReadableRecord[]> {
  const found: ReadableRecord[] = []
  let after: Position | null = null
  do {
    const page = await store.query({ filters, after, limit })
    expect(page.records.length).toBeLessThanOrEqual(limit)
    found.push(...page.records)
    // Through the form that callers hold it in.
    after = page.end === null ? null : parseCursor(toCursor(page.end))
  } while (after !== null)
  return found
}

async function textOf(store: DecisionLogStore, range: TimeRange): Promise<string> {
  let text = ''
  for await (const piece of store.exportRange(range)) {
    expect(piece.endsWith('\n')).toBe(true)
    text += piece
  }
  return text
}

const linesOf = (text: string) => (text === '' ? [] : text.slice(0, -1).split('\n'))

function findingConformance(createRig: CreateRig): void {
  test('finds a record by its id and by its request, before and after it is exported', async () => {
    const { store, settle } = await createRig()
    await store.append(recordNumbers(0, 50), [])
    for (const moment of ['taken', 'exported']) {
      expect(await store.find(decisionId(7)), moment).toEqual(recordNumber(7))
      expect(await store.find('req-31'), moment).toEqual(recordNumber(31))
      expect(await store.find('req-50'), moment).toBeNull()
      await settle()
    }
  })

  test('finds the newest of several records of one request', async () => {
    const { store, settle } = await createRig()
    const same = [3, 1, 2].map((n) => recordNumber(n, { request_id: 'again' }))
    for (const record of same) await store.append([record], [])
    expect(await store.find('again')).toEqual(same[0])
    await settle()
    expect(await store.find('again')).toEqual(same[0])
  })

  test('takes a decision id before a request id', async () => {
    const { store } = await createRig()
    await store.append([recordNumber(1), recordNumber(2, { request_id: decisionId(1) })], [])
    expect(await store.find(decisionId(1))).toEqual(recordNumber(1))
  })

  test('finds the view documents that records name', async () => {
    const { store, settle } = await createRig()
    const [one, other] = [viewOf('gpu-a'), viewOf('gpu-b')]
    await store.append([recordNumber(0, { view_hash: one.view_hash })], [one])
    await store.append([recordNumber(1, { view_hash: one.view_hash })], [one])
    await store.append([recordNumber(2, { view_hash: other.view_hash })], [other])
    await settle()
    expect(await store.findView(one.view_hash)).toEqual(one)
    expect(await store.findView(other.view_hash)).toEqual(other)
    expect(await store.findView('0'.repeat(16))).toBeNull()
    expect(await store.findView('../../etc/passwd')).toBeNull()
  })
}

function listingConformance(createRig: CreateRig): void {
  test('lists newest first, also what came late', async () => {
    const { store, settle } = await createRig()
    for (const n of [5, 1, 4, 2, 3]) await store.append([recordNumber(n)], [])
    const expected = [5, 4, 3, 2, 1].map(decisionId)
    expect(idsOf(await list(store, {}))).toEqual(expected)
    await settle()
    expect(idsOf(await list(store, {}))).toEqual(expected)
  })

  test.each([1, 2, 7, 100])('pages of %i list every record once, while others come on top', async (limit) => {
    const { store, settle } = await createRig()
    // Several at the same time, so that ids decide.
    const records = recordNumbers(0, 60).map((record, n) => ({
      ...record,
      timestamp: recordNumber(Math.floor(n / 4)).timestamp,
    }))
    await store.append(records.slice(0, 30), [])
    await settle()
    await store.append(records.slice(30), [])
    const seen: string[] = []
    let after: Position | null = null
    for (let round = 0; ; round += 1) {
      const page = await store.query({ filters: {}, after, limit })
      seen.push(...page.records.map((record) => record.decision_id ?? ''))
      if (round % 10 === 0) await store.append([recordNumber(1_000 + round)], [])
      after = page.end
      if (after === null) break
    }
    const expected = [...records].sort((one, other) =>
      one.timestamp === other.timestamp
        ? other.decision_id < one.decision_id
          ? -1
          : 1
        : other.timestamp < one.timestamp
          ? -1
          : 1,
    )
    expect(seen).toEqual(idsOf(expected))
  })

  test('filters', async () => {
    const { store, settle } = await createRig()
    await store.append(
      [
        recordNumber(0, { tenant: 'acme', worker: 'gpu-a@1' }),
        recordNumber(1, {
          method: 'rejected',
          status: 429,
          error: 'rate_limited',
          policy: undefined,
          worker: undefined,
        }),
        recordNumber(2, { session_id: '0123456789abcdef', worker: 'gpu-ab' }),
        recordNumber(3, { decision: 'code', status: 503, error: 'no_worker', worker: undefined }),
        recordNumber(4, { policy: 'least_load', original_model: 'gpt-4o', request_text: 'a Needle in the prompt' }),
        recordNumber(5, { request_id: 'Needle-5' }),
      ],
      [],
    )
    const cases: readonly (readonly [DecisionFilters, readonly number[]])[] = [
      [{ tenant: 'acme' }, [0]],
      [{ worker: 'gpu-a' }, [0]],
      [{ worker: 'gpu-a@1' }, [0]],
      [{ worker: 'gpu-a@0' }, []],
      [{ method: 'rejected' }, [1]],
      [{ status: { from: 429, to: 429 } }, [1]],
      [{ status: { from: 400, to: 599 } }, [3, 1]],
      [{ sessionId: '0123456789abcdef' }, [2]],
      [{ decision: 'code' }, [3]],
      [{ policy: 'least_load' }, [4]],
      [{ model: 'gpt-4o' }, [4]],
      [{ model: 'org/large' }, [5, 3, 1]],
      [{ text: 'needle' }, [5]],
      [{ text: 'RATE_LIM' }, [1]],
      [{ text: 'GPU-AB' }, [2]],
      [{ text: decisionId(3).slice(2, 20) }, [3]],
      [{ sinceMs: BEGIN_MS + 2_000, untilMs: BEGIN_MS + 4_000 }, [3, 2]],
      [{ sinceMs: BEGIN_MS + 2_000, model: 'org/large' }, [5, 3]],
      [{ tenant: 'nobody' }, []],
    ]
    for (const moment of ['taken', 'exported']) {
      for (const [filters, expected] of cases) {
        const found = await list(store, filters, 2)
        expect(idsOf(found), `${moment}: ${JSON.stringify(filters)}`).toEqual(expected.map(decisionId))
      }
      await settle()
    }
  })
}

function exportConformance(createRig: CreateRig): void {
  test('exports the lines of a time range, whole and as they are', async () => {
    const { store, settle } = await createRig()
    await store.append(recordNumbers(0, 20), [])
    await settle()
    await store.append(recordNumbers(20, 40), [])
    const text = await textOf(store, { sinceMs: BEGIN_MS + 10_000, untilMs: BEGIN_MS + 30_000 })
    const records = linesOf(text).map((line) => JSON.parse(line) as unknown)
    expect(records).toHaveLength(20)
    expect(records).toEqual(expect.arrayContaining(recordNumbers(10, 30).map((record) => record)))
    expect(await textOf(store, { sinceMs: 0, untilMs: BEGIN_MS })).toBe('')
  })

  test('texts of every kind come back as they went in', async () => {
    const { store, settle } = await createRig()
    const record = recordNumber(0, {
      request_id: 'ö"\\\n\u2028𝄞',
      model: 'mödel "x"',
      error: '\u0000',
      tenant: "o'neill",
    })
    await store.append([record], [])
    await settle()
    expect(await store.find('ö"\\\n\u2028𝄞')).toEqual(record)
    expect(await list(store, { model: 'mödel "x"', tenant: "o'neill" })).toEqual([record])
    expect(linesOf(await textOf(store, ALWAYS)).map((line) => JSON.parse(line) as unknown)).toEqual([record])
  })

  test('10,000 decisions are 10,000 lines, each valid', { timeout: 120_000 }, async () => {
    const { store, settle, exportedLines } = await createRig({ keeps: 10_000 })
    for (let from = 0; from < 10_000; from += 100) await store.append(recordNumbers(from, from + 100), [])
    await settle()
    const { stored, waiting, lost, failing } = await store.status()
    expect({ stored, waiting, lost, failing }).toEqual({ stored: 10_000, waiting: 0, lost: 0, failing: null })
    const lists = [linesOf(await textOf(store, ALWAYS)), await exportedLines()]
    for (const lines of lists) {
      if (lines === null) continue
      expect(lines).toHaveLength(10_000)
      const ids = lines.map((line) => {
        const read = readRecord(line)
        return read.kind === 'record' ? read.record.decision_id : read.kind
      })
      expect(new Set(ids)).toEqual(new Set(idsOf(recordNumbers(0, 10_000))))
    }
    // The whole schema takes its time: of every hundredth.
    for (const line of lists[0]?.filter((_, at) => at % 100 === 0) ?? []) decisionRecordSchema.parse(JSON.parse(line))
    expect(await list(store, {})).toHaveLength(10_000)
    expect(await store.find('req-4711')).toEqual(recordNumber(4_711))
  })
}
