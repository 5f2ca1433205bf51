// How far words are apart, told by a table and by the definition itself.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isWithinDistance, largestDistance, usualDistance } from './edit-distance.ts'

const distanceWithin = (one: string, other: string, limit: number) => isWithinDistance([...one], [...other], limit)

test.each([
  ['kitten', 'sitting', 3],
  ['urgent', 'urgnet', 1],
  ['urgent', 'agent', 2],
  ['', 'abc', 3],
  ['abc', '', 3],
  ['abc', 'abc', 0],
  ['数学', '学数', 1],
  ['abcdefgh', 'badcfehg', 4],
])('%j and %j are %i apart', (one, other, distance) => {
  expect(distanceWithin(one, other, distance)).toBe(true)
  if (distance > 0) expect(distanceWithin(one, other, distance - 1)).toBe(false)
})

/** Optimal string alignment as it is defined. */
function defined(one: string, other: string): number {
  const known = new Map<string, number>()
  const between = (a: number, b: number): number => {
    if (a === 0 || b === 0) return a + b
    const key = `${a},${b}`
    const found = known.get(key)
    if (found !== undefined) return found
    const ways = [between(a - 1, b) + 1, between(a, b - 1) + 1]
    ways.push(between(a - 1, b - 1) + (one[a - 1] === other[b - 1] ? 0 : 1))
    const isSwap = a > 1 && b > 1 && one[a - 1] === other[b - 2] && one[a - 2] === other[b - 1]
    if (isSwap) ways.push(between(a - 2, b - 2) + 1)
    const least = Math.min(...ways)
    known.set(key, least)
    return least
  }
  return between(one.length, other.length)
}

test('as it is defined', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 9 })
  fc.assert(
    fc.property(word, word, fc.nat({ max: 8 }), (one, other, limit) => {
      expect(distanceWithin(one, other, limit)).toBe(defined(one, other) <= limit)
    }),
    { numRuns: 2_000 },
  )
})

test('short words are let pass nothing, and no word half of its letters', () => {
  expect([1, 3, 4, 7, 8, 20].map(usualDistance)).toEqual([0, 0, 1, 1, 2, 2])
  expect([0, 1, 2, 3, 6, 9].map(largestDistance)).toEqual([0, 0, 0, 1, 2, 4])
})
