import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_LINE_LENGTH } from '../record/read-record.ts'
import { LineSplitter } from './line-splitter.ts'

function linesOf(parts: readonly Uint8Array[]): (string | null)[] {
  const splitter = new LineSplitter()
  return [...parts.flatMap((part) => splitter.push(part)), splitter.end()]
}

test('lines are the same however the bytes are cut', () => {
  const text = '{"a":"ä"}\n\n{"b":"🦙"}\r\nlast'
  const bytes = new TextEncoder().encode(text)
  const property = fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (one, other) => {
    const [from, to] = [Math.min(one, other), Math.max(one, other)]
    expect(linesOf([bytes.slice(0, from), bytes.slice(from, to), bytes.slice(to)])).toEqual(text.split('\n'))
  })
  fc.assert(property)
})

test('nothing is left behind a last line feed', () => {
  expect(linesOf([new TextEncoder().encode('a\n')])).toEqual(['a', null])
})

test('a line without an end is not kept whole', () => {
  const splitter = new LineSplitter()
  const part = new Uint8Array(MAX_LINE_LENGTH).fill(0x61)
  for (let turn = 0; turn < 20; turn += 1) expect(splitter.push(part)).toEqual([])
  expect(splitter.end()?.length).toBe(MAX_LINE_LENGTH + 1)
})
