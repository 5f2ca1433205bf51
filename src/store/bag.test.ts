// Things that come and go: all that are in are there, each once, whatever the order they leave in.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bag } from './bag.ts'

test('holds what was put in and not taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (moves) => {
      const things = Array.from({ length: 21 }, (_, name) => ({ name, bagAt: -1 }))
      const bag = new Bag<(typeof things)[number]>()
      const expected = new Set<(typeof things)[number]>()
      for (const move of moves) {
        const thing = things[move]
        if (thing === undefined) continue
        if (expected.has(thing)) {
          expect(bag.remove(thing)).toBe(true)
          expect(bag.remove(thing)).toBe(false)
          expected.delete(thing)
        } else {
          bag.add(thing)
          expected.add(thing)
        }
        expect(new Set(bag.all)).toEqual(expected)
        expect(bag.all).toHaveLength(expected.size)
      }
    }),
  )
})
