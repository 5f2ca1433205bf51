// Many phrases at once are found where each alone would be.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PhraseIndex } from './phrase-index.ts'
import { hasPhrase } from './words.ts'

const PIECES = ['a', 'b', 'ab', ' ', '.', '+', '_', 'é', '\u0301', 'мир', '漢', 'ー', '오류', 'ไ', '่', '😀', '1']
const words = (maxLength: number) => fc.string({ unit: fc.constantFrom(...PIECES), minLength: 1, maxLength })

test('as each alone is', () => {
  fc.assert(
    fc.property(fc.array(words(5), { minLength: 20, maxLength: 40 }), words(30), (phrases, text) => {
      const expected = phrases.filter((phrase) => hasPhrase(text, phrase))
      expect([...new PhraseIndex(phrases).find(text)].sort()).toEqual([...new Set(expected)].sort())
    }),
    { numRuns: 2_000 },
  )
})

test('a thousand phrases take one pass', () => {
  const phrases = Array.from({ length: 1_000 }, (_, at) => `error ${at} at once`)
  const text = 'error 4 at noon, error 5 at night: '.repeat(3_000)
  const index = new PhraseIndex(phrases)
  const one = new PhraseIndex([...phrases.slice(0, 1), ...Array.from({ length: 20 }, (_, at) => `rare${at}`)])
  expect(index.find(text)).toEqual(new Set())
  const times = { thousand: Number.POSITIVE_INFINITY, one: Number.POSITIVE_INFINITY }
  const isInTime = () => times.thousand < 8 * times.one + 5
  // The first runs are not compiled yet, and on a busy machine any of them may be held up.
  for (let tries = 0; tries === 0 || (tries < 100 && !isInTime()); tries += 1) {
    times.one = Math.min(
      times.one,
      timeOf(() => one.find(text)),
    )
    times.thousand = Math.min(
      times.thousand,
      timeOf(() => index.find(text)),
    )
  }
  expect(isInTime(), `${times.thousand} ms, and ${times.one} ms for one`).toBe(true)
})

function timeOf(work: () => unknown): number {
  const before = performance.now()
  work()
  return performance.now() - before
}
