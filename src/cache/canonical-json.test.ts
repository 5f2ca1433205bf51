import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalItems, canonicalMembers, canonicalOf } from './canonical-json.ts'

/** The same value as other people write it: blanks anywhere, members in another order. */
function writtenAnew(value: unknown, draw: () => number): string {
  const blank = () => ['', ' ', '\n', '\t ', '\r\n'][Math.floor(draw() * 5)] ?? ''
  if (Array.isArray(value))
    return `[${blank()}${value.map((item) => writtenAnew(item, draw)).join(`${blank()},${blank()}`)}${blank()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}${blank()}:${blank()}${writtenAnew(item, draw)}`,
  )
  return `{${blank()}${members.toSorted(() => draw() - 0.5).join(`${blank()},${blank()}`)}${blank()}}`
}

const sortedKeys = (_key: string, item: unknown): unknown =>
  typeof item === 'object' && item !== null && !Array.isArray(item)
    ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
    : item

test('blanks and the order of members make no difference, and the value stays what it was', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 5 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (value, numbers) => {
        const draw = () => numbers.next().value ?? 0
        const canonical = canonicalOf(JSON.stringify(value))
        expect(canonicalOf(writtenAnew(value, draw))).toBe(canonical)
        expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalOf(canonical)).toBe(canonical)
      },
    ),
    { numRuns: 500 },
  )
})

test('two documents share a form only if they have the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (one, other) => {
      const same = JSON.stringify(one, sortedKeys) === JSON.stringify(other, sortedKeys)
      expect(canonicalOf(JSON.stringify(one)) === canonicalOf(JSON.stringify(other))).toBe(same)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['numbers as they are written', '1', '1.0'],
  ['numbers that parsers take for one', '12345678901234567890', '12345678901234567891'],
  ['numbers that are too big', '1e400', '1e401'],
  ['repeated keys', '{"a":1,"a":2}', '{"a":2}'],
  ['repeated keys the other way round', '{"a":1,"a":2}', '{"a":2,"a":1}'],
  ['text and what looks like it', '"1"', '1'],
  ['a text with the marks of a list', '["a,b"]', '["a","b"]'],
  ['a text with quotes in it', '["a\\",\\"b"]', '["a","b"]'],
  ['a text that ends with slashes', '["a\\\\","b"]', '["a\\\\\\",\\"b"]'],
  ['keys and values', '{"a":"b:c"}', '{"a:b":"c"}'],
  ['nothing and null', '{}', '{"a":null}'],
  ['depth', '[[1],2]', '[[1,2]]'],
])('tells apart %s', (_, one, other) => {
  expect(canonicalOf(one)).not.toBe(canonicalOf(other))
})

test('gives members and items in the same form', () => {
  expect(canonicalMembers(' { "b" : [ 1 , 2 ] , "a" : { "d":1, "c" : "x y" } } ')).toEqual([
    { key: '"a"', value: '{"c":"x y","d":1}' },
    { key: '"b"', value: '[1,2]' },
  ])
  expect(canonicalItems('[ {"b":1 ,"a":2}, [ ] , "," ]')).toEqual(['{"a":2,"b":1}', '[]', '","'])
  expect(canonicalItems('[]')).toEqual([])
})

test('takes long texts in little time', () => {
  const text = 'x"\\'.repeat(1_000_000)
  expect(canonicalOf(JSON.stringify({ text }))).toBe(JSON.stringify({ text }))
})
