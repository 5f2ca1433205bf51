// What is near is found as comparing everything with everything would find it.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isWithinDistance } from './edit-distance.ts'
import { NearbyWords, toMisspellable, wantedLengths } from './nearby-words.ts'
import { foldText, wordsOf } from './words.ts'

const text = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'A', 'ж', '漢', '𝒳', ' '), minLength: 1, maxLength })

test('as comparing every run of words finds it', () => {
  fc.assert(
    fc.property(
      fc.array(text(12), { minLength: 1, maxLength: 5 }),
      text(60),
      fc.nat({ max: 8 }),
      (keywords, input, most) => {
        const wanted = keywords.map((keyword) => toMisspellable(keyword, most))
        const nearby = new NearbyWords(input, wantedLengths(wanted))
        const words = wordsOf(foldText(input, false))
        for (const misspellable of wanted) {
          const { letters, limit, words: count } = misspellable
          const isNear = words.some((_, at) => {
            const run = words.slice(at, at + count)
            return run.length === count && isWithinDistance([...run.join('')], letters, limit)
          })
          expect(nearby.has(misspellable)).toBe(limit > 0 && isNear)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
