import { describe, expect, test } from 'vitest'
import { recordNumber, recordNumbers } from '../../test/support/made-up-records.ts'
import { matches } from './decision-filters.ts'
import {
  facetsStartOf,
  isTooLong,
  keepOnly,
  lineSizes,
  parseFacets,
  type RecordBatch,
  toBatches,
  toBatchLine,
  toFacets,
} from './record-batch.ts'

const AWKWARD = { request_id: 'ö"\\\n\u2028𝄞[', model: '["x",1,', error: '\u0000', tenant: "o'neill" } as const

const textOf = ({ content }: RecordBatch) => new TextDecoder().decode(content)

describe('a batch of records', () => {
  test('has their lines as they are, and what they are found by', () => {
    const records = [recordNumber(2), recordNumber(0, AWKWARD), recordNumber(1, { worker: undefined })]
    const [batch, ...others] = toBatches(records.map(toBatchLine))
    if (batch === undefined) throw new Error('no batch')
    expect(others).toEqual([])
    expect(textOf(batch)).toBe(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    expect(batch).toMatchObject({
      ids: records.map((record) => record.decision_id),
      firstMs: Date.parse(recordNumber(0).timestamp),
      lastMs: Date.parse(recordNumber(2).timestamp),
    })
    const rows = parseFacets(batch.facets)
    expect(rows.map(([id, timeMs]) => [id, timeMs])).toEqual(
      records.map((record) => [record.decision_id, Date.parse(record.timestamp)]),
    )
    const [, awkward] = rows
    expect(awkward && toFacets(awkward)).toMatchObject(AWKWARD)
    expect(rows.map((row) => matches({ worker: 'gpu-c' }, toFacets(row)))).toEqual([true, false, false])
    expect(lineSizes(batch.content)).toEqual(
      records.map((record) => new TextEncoder().encode(JSON.stringify(record)).length + 1),
    )
  })

  test('is found by the text that its facets of a decision begin with, and by no other text', () => {
    const sought = recordNumber(5)
    const start = facetsStartOf(sought.decision_id)
    const mimic = recordNumber(6, { request_id: sought.decision_id, error: start, model: `"${start}` })
    const [one, other] = [[sought], [mimic]].map((records) => toBatches(records.map(toBatchLine))[0]?.facets)
    expect(one).toContain(start)
    expect(one).toContain(facetsStartOf(sought.decision_id, Date.parse(sought.timestamp)))
    expect(other).not.toContain(start)
  })

  test('is small enough for a row of two megabytes, whatever characters it is of', () => {
    const records = recordNumbers(0, 40).map((record) => ({ ...record, request_text: '文'.repeat(100_000) }))
    const batches = toBatches(records.map(toBatchLine))
    expect(batches.map(textOf).join('')).toBe(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    for (const { content, facets } of batches) expect(content.length + facets.length * 3).toBeLessThan(2_000_000)
    expect(batches.length).toBeLessThan(12)
  })

  test('counts what its records are found by as well', () => {
    const records = recordNumbers(0, 40).map((record) => ({ ...record, request_id: '文'.repeat(30_000) }))
    for (const { content, facets } of toBatches(records.map(toBatchLine))) {
      expect(content.length + new TextEncoder().encode(facets).length).toBeLessThan(2_000_000)
    }
  })

  test('can be of one record that fills a row, not of a longer one', () => {
    const line = toBatchLine(recordNumber(0))
    const fill = (text: string, count: number) => toBatchLine(recordNumber(0, { request_text: text.repeat(count) }))
    expect([line, fill('x', 1_890_000), fill('文', 630_000)].map(isTooLong)).toEqual([false, false, false])
    expect([fill('x', 1_900_000), fill('文', 634_000)].map(isTooLong)).toEqual([true, true])
  })

  test('keeps some of its records', () => {
    const records = [recordNumber(0), recordNumber(1, AWKWARD), recordNumber(2)]
    const [batch] = toBatches(records.map(toBatchLine))
    if (batch === undefined) throw new Error('no batch')
    const wanted = records.slice(1)
    const ids = new Set(wanted.map((record) => record.decision_id))
    expect(keepOnly(batch, ([id]) => ids.has(id))).toEqual(toBatches(wanted.map(toBatchLine))[0])
    expect(keepOnly(batch, () => false)).toBeNull()
  })

  test('of nothing is none', () => {
    expect(toBatches([])).toEqual([])
  })
})
