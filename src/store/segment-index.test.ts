// Both indexes of a log file answer alike, whatever the order in which records came.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLogFiles } from '../runtime/node-log-files.ts'
import { LiveIndex } from './live-index.ts'
import { countBefore, type IndexedLine } from './segment-index.ts'
import { encodeIndex, StoredIndex } from './stored-index.ts'

let directory = ''
const files = createLogFiles()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'segment-index-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function bothOf(lines: readonly IndexedLine[]) {
  const live = new LiveIndex()
  for (const line of lines) live.add(line)
  const path = join(directory, 'index')
  await files.replace(path, encodeIndex(live, 4_711))
  const stored = await StoredIndex.open(files, path, 4_711)
  if (stored === null) throw new Error('the index was not taken')
  return { live, stored }
}

const lines = fc.array(
  fc.record({
    timeMs: fc.integer({ min: 1, max: 50 }),
    offset: fc.integer({ min: 0, max: 2 ** 40 }),
    bytes: fc.integer({ min: 1, max: 2 ** 31 }),
    decisionId: fc.integer({ min: 0, max: 200 }).map((n) => `d${n}`),
    requestId: fc.integer({ min: 0, max: 20 }).map((n) => `r${n}`),
  }),
  { maxLength: 60 },
)

test('rows are in order of time, and found by it', async () => {
  await fc.assert(
    fc.asyncProperty(lines, async (given) => {
      const { live, stored } = await bothOf(given)
      const rows = await live.rows(0, given.length)
      expect(rows.map(({ timeMs }) => timeMs)).toEqual(
        given.map(({ timeMs }) => timeMs).sort((one, other) => one - other),
      )
      expect(await stored.rows(0, given.length)).toEqual(rows)
      for (const timeMs of [0, 1, 25, 50, 51]) {
        const expected = given.filter((line) => line.timeMs < timeMs).length
        expect([await countBefore(live, timeMs), await countBefore(stored, timeMs)]).toEqual([expected, expected])
      }
    }),
    { numRuns: 40 },
  )
})

test('rows are found by either id', async () => {
  await fc.assert(
    fc.asyncProperty(lines, async (given) => {
      const { live, stored } = await bothOf(given)
      const places = (rows: readonly { readonly offset: number }[]) =>
        rows.map(({ offset }) => offset).sort((one, other) => one - other)
      for (const id of ['d0', 'd7', 'r0', 'r5', 'nobody']) {
        const expected = places(given.filter(({ decisionId, requestId }) => decisionId === id || requestId === id))
        expect(places(await live.lookup(id))).toEqual(expected)
        expect(places(await stored.lookup(id))).toEqual(expected)
      }
    }),
    { numRuns: 40 },
  )
})

test('one row of very many is found by few reads', async () => {
  const many = Array.from({ length: 60_000 }, (_, n) => ({
    timeMs: n,
    offset: n * 1_000,
    bytes: 999,
    decisionId: `decision-${n}`,
    requestId: n % 100 === 0 ? 'often' : `request-${n}`,
  }))
  const { stored } = await bothOf(many)
  let bytes = 0
  const { read } = files
  files.read = async (path, from, length) => {
    bytes += length
    return read(path, from, length)
  }
  expect(await stored.lookup('decision-4711')).toEqual([{ timeMs: 4_711, offset: 4_711_000, bytes: 999 }])
  expect(await stored.lookup('request-59999')).toEqual([{ timeMs: 59_999, offset: 59_999_000, bytes: 999 }])
  expect(bytes).toBeLessThan(20_000)
  // Of very many with one id the newest are among those found.
  expect((await stored.lookup('often')).some(({ timeMs }) => timeMs === 59_900)).toBe(true)
  files.read = read
})
