// Permits: each counts until nobody can have it any more, and no longer.

import { expect, test } from 'vitest'
import { HeldPermits } from './held-permits.ts'
import { PermitBook } from './permit-book.ts'

const permit = { id: 1, workerId: 'a' }
const held = (isInUse: boolean) => [{ ...permit, isInUse }]

test('one that its holder never speaks of is free after four seconds', () => {
  const book = new PermitBook()
  book.add(permit, 'x', 0)
  expect(book.outstanding('a', 4_000)).toBe(1)
  expect(book.outstanding('b', 4_000)).toBe(0)
  expect(book.outstanding('a', 4_001)).toBe(0)
})

test('one that its holder does not list any more is free; a report that was under way does not count', () => {
  const book = new PermitBook()
  book.add(permit, 'x', 0)
  book.heard('x', [], 500)
  expect(book.outstanding('a', 500)).toBe(1)
  book.heard('y', [], 2_500)
  expect(book.outstanding('a', 2_500)).toBe(1)
  book.heard('x', [], 2_501)
  expect(book.outstanding('a', 2_501)).toBe(0)
})

test('one in use counts for as long as it is listed, and fifteen seconds beyond the last word of its holder', () => {
  const book = new PermitBook()
  book.add(permit, 'x', 0)
  for (let atMs = 1_000; atMs <= 120_000; atMs += 9_000) {
    book.heard('x', held(true), atMs)
    expect(book.outstanding('a', atMs + 9_000)).toBe(1)
  }
  book.heard('x', held(true), 120_000)
  book.heard('y', [], 134_000)
  expect(book.outstanding('a', 135_000)).toBe(1)
  expect(book.outstanding('a', 135_001)).toBe(0)
  book.add(permit, 'x', 40_000)
  book.heard('x', held(true), 40_100)
  book.heard('x', [], 40_200)
  expect(book.outstanding('a', 40_200)).toBe(0)
})

test('one that a memory does not know, as it is a new one, is taken over from who lists it', () => {
  const book = new PermitBook()
  book.heard('x', held(true), 0)
  expect(book.outstanding('a', 0)).toBe(1)
})

test('one at hand goes to one holder, within a second, and is given back otherwise', () => {
  const book = new PermitBook()
  book.add(permit, null, 0)
  expect(book.claim('x', 900)).toEqual([permit])
  expect(book.claim('y', 900)).toEqual([])
  expect(book.list(900)).toEqual(held(false))
  book.add({ id: 2, workerId: 'a' }, null, 1_000)
  expect(book.claim('y', 2_001)).toEqual([])
  expect(book.list(2_001)).toEqual(held(false))
})

test('a holder may begin with one within a second and a half, and uses it once', () => {
  let nowMs = 0
  const permits = new HeldPermits(() => nowMs)
  permits.accept([permit], 0)
  nowMs = 1_500
  expect([permits.has('a'), permits.has('b')]).toEqual([true, false])
  expect(permits.take('a')).toBeNull()
  permits.reserve('a')
  expect(permits.has('a')).toBe(false)
  expect(permits.take('a')).toMatchObject(permit)
  expect([permits.has('a'), permits.take('a')]).toEqual([false, null])
  expect(permits.list()).toEqual(held(true))
  nowMs += 15_000
  permits.renew(permit)
  nowMs += 15_000
  expect(permits.list()).toEqual(held(true))
  nowMs += 1
  expect(permits.list()).toEqual([])
  nowMs = 1_500
  permits.accept([permit], 1_500)
  permits.reserve('a')
  permits.take('a')
  permits.giveBack(permit)
  permits.renew(permit)
  expect(permits.list()).toEqual([])
  permits.accept([permit], 0)
  permits.reserve('a')
  nowMs = 1_501
  expect([permits.has('a'), permits.take('a'), permits.list()]).toEqual([false, null, []])
})
