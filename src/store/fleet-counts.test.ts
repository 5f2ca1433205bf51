// What isolates count, added up: each batch once, each event once, whoever tells how often.

import { describe, expect, test } from 'vitest'
import { CountBook, CountTable, MAX_SERIES } from './fleet-counts.ts'

const batchOf = (seq: number, counts = { requests: { m: [1] } }, ids: readonly string[] = []) => {
  return { seq, counts, events: ids.map((id) => ({ id, metric: 'events', key: 'k' })) }
}

describe('a sum over isolates', () => {
  test('is of all batches of all', () => {
    const book = new CountBook()
    expect(book.note({ sender: 'one', batch: batchOf(1) }, 0)).toEqual(['requests'])
    book.note({ sender: 'one', batch: batchOf(2, { requests: { m: [2], n: [5] } as never }) }, 0)
    book.note({ sender: 'other', batch: batchOf(1) }, 0)
    expect(book.table.toCounts()).toEqual({ requests: { m: [4], n: [5] } })
  })

  test('has a batch once that is delivered twice, or late', () => {
    const book = new CountBook()
    for (const seq of [1, 1, 2, 1]) book.note({ sender: 'one', batch: batchOf(seq) }, 0)
    expect(book.table.toCounts()).toEqual({ requests: { m: [2] } })
    expect(book.note({ sender: 'one', batch: null }, 0)).toEqual([])
  })

  test('has an event once that all hear of', () => {
    const book = new CountBook()
    for (const sender of ['one', 'two', 'three']) book.note({ sender, batch: batchOf(1, {} as never, ['a']) }, 0)
    book.note({ sender: 'one', batch: batchOf(2, {} as never, ['a', 'b']) }, 0)
    expect(book.table.toCounts()).toEqual({ events: { k: [2] } })
  })

  test('forgets senders that are gone', () => {
    const book = new CountBook()
    book.note({ sender: 'gone', batch: batchOf(1) }, 0)
    book.note({ sender: 'other', batch: batchOf(1) }, 600_001)
    // Nobody tries for that long: it would be another life with the same name.
    expect(book.note({ sender: 'gone', batch: batchOf(1) }, 600_002)).toEqual(['requests'])
  })
})

describe('a table', () => {
  test('adds rows number by number, and takes over those of another version', () => {
    const table = new CountTable()
    table.add({ durations: { r: [1, 0, 0.5] } })
    table.add({ durations: { r: [1, 2, 0.25] } })
    expect(table.toCounts()).toEqual({ durations: { r: [2, 2, 0.75] } })
    table.add({ durations: { r: [1, 1, 1, 1] } })
    expect(table.toCounts()).toEqual({ durations: { r: [1, 1, 1, 1] } })
  })

  test('is empty once its counts are taken', () => {
    const table = new CountTable()
    table.add({ a: { k: [1] } })
    expect(table.take()).toEqual({ a: { k: [1] } })
    expect(table.isEmpty()).toBe(true)
  })

  test('is bounded, whoever fills it', () => {
    const table = new CountTable()
    table.add({ a: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, [1]])) })
    expect([...table.of('a')].length).toBeLessThanOrEqual(MAX_SERIES)
  })
})
