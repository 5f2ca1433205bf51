import { expect, test } from 'vitest'
import { PrefixHintBook } from './prefix-hint-book.ts'

test('is bounded: what was written longest ago goes first', () => {
  const book = new PrefixHintBook(3)
  const hint = (candidateId: string) => ({ candidateId, expiresAtMs: 100 })
  book.write(['a', 'b'], hint('w1'))
  book.write(['a'], hint('w2'))
  book.write(['c', 'd'], hint('w3'))
  expect(book.read(['a', 'b', 'c', 'd'], 0)).toEqual(['w2', null, 'w3', 'w3'])
  expect(book.size).toBe(3)
})

test('what has expired is gone once it is asked for', () => {
  const book = new PrefixHintBook()
  book.write(['a'], { candidateId: 'w1', expiresAtMs: 100 })
  expect(book.read(['a'], 99)).toEqual(['w1'])
  expect(book.read(['a'], 100)).toEqual([null])
  expect(book.size).toBe(0)
})
