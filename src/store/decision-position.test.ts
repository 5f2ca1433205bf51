import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareInList, isAfter, parseCursor, toCursor } from './decision-position.ts'

const position = fc.record({
  timeMs: fc.integer({ min: 0, max: 8.64e15 }),
  id: fc.string({ maxLength: 40, unit: 'grapheme' }),
})

test('a cursor is a position', () => {
  fc.assert(
    fc.property(position, (one) => {
      expect(parseCursor(toCursor(one))).toEqual(one)
    }),
  )
})

test.each(['', '.', 'x', '1', '1.%', '1.%ff', '!.a', 'zzzzzzzzzzz.a', `1.${'a'.repeat(600)}`, '1.a b'])(
  '%j is no cursor',
  (text) => {
    expect(parseCursor(text)).toBeNull()
  },
)

test('places are in one order', () => {
  fc.assert(
    fc.property(position, position, (one, other) => {
      expect(Math.sign(compareInList(one, other))).toBe(-Math.sign(compareInList(other, one)) + 0)
      expect(isAfter(one, other)).toBe(compareInList(other, one) < 0)
      expect(isAfter(one, one)).toBe(false)
      expect(isAfter(one, null)).toBe(true)
    }),
  )
})
