import { expect, test } from 'vitest'
import { PrefixCaches } from './prefix-cache.ts'

const caches = (cacheBlocks: number) => new PrefixCaches({ cacheBlocks, blockTokens: 16 })

function cachedAfter(cacheBlocks: number, prompts: readonly (readonly [string, readonly string[]])[]): number {
  const fleet = caches(cacheBlocks)
  for (const [worker, hashes] of prompts) fleet.use(worker, hashes)
  return fleet.totals().cached / 16
}

test('what a worker has seen it finds again, and no other worker does', () => {
  const prompt = ['a', 'b', 'c']
  expect(
    cachedAfter(10, [
      ['one', prompt],
      ['one', prompt],
    ]),
  ).toBe(3)
  expect(
    cachedAfter(10, [
      ['one', prompt],
      ['two', prompt],
    ]),
  ).toBe(0)
})

test('blocks count up to the first that is missing', () => {
  expect(
    cachedAfter(10, [
      ['one', ['a', 'b', 'c']],
      ['one', ['a', 'x', 'c']],
    ]),
  ).toBe(1)
  expect(
    cachedAfter(10, [
      ['one', ['a', 'b', 'c']],
      ['one', ['x', 'b', 'c']],
    ]),
  ).toBe(0)
})

test('the least recently used blocks go, the end of a prompt before its beginning', () => {
  const long = ['a', 'b', 'c']
  expect(
    cachedAfter(3, [
      ['one', long],
      ['one', ['x']],
      ['one', long],
    ]),
  ).toBe(2)
  expect(
    cachedAfter(3, [
      ['one', long],
      ['one', ['x', 'y', 'z']],
      ['one', long],
    ]),
  ).toBe(0)
  expect(
    cachedAfter(4, [
      ['one', ['x']],
      ['one', long],
      ['one', ['x']],
      ['one', long],
    ]),
  ).toBe(1 + 3)
})

test('a prompt larger than the cache leaves its beginning', () => {
  expect(
    cachedAfter(2, [
      ['one', ['a', 'b', 'c']],
      ['one', ['a', 'b', 'c']],
    ]),
  ).toBe(2)
})

test('tokens are blocks times their size', () => {
  const fleet = caches(10)
  fleet.use('one', ['a', 'b'])
  fleet.use('one', ['a', 'b', 'c'])
  expect(fleet.totals()).toEqual({ tokens: 5 * 16, cached: 2 * 16 })
})
