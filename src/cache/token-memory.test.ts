import { expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { TokenMemory } from './token-memory.ts'

const ids = (length: number) => new Uint32Array(length)

function create({ maxBytes = 1_000_000, maxEntries = 100 } = {}) {
  const clock = createFakeClock()
  return { clock, memory: new TokenMemory({ maxBytes, maxEntries, ttlMs: 1_000, now: clock.now }) }
}

test('an entry expires, and its bytes with it', () => {
  const { clock, memory } = create()
  memory.set('a', ids(10))
  clock.advance(999)
  expect(memory.get('a')).toEqual(ids(10))
  clock.advance(1)
  expect(memory.get('a')).toBeNull()
  expect(memory.size()).toEqual({ entries: 0, bytes: 0 })
})

test('what was used last stays when bytes run out', () => {
  const { memory } = create({ maxBytes: 3 * (256 + 400) })
  for (const key of ['a', 'b', 'c']) memory.set(key, ids(100))
  memory.get('a')
  memory.set('d', ids(100))
  expect(['a', 'b', 'c', 'd'].filter((key) => memory.get(key) !== null)).toEqual(['a', 'c', 'd'])
})

test('number bounds too, and an entry set again counts once', () => {
  const { memory } = create({ maxEntries: 2 })
  for (const key of ['a', 'b', 'a', 'c']) memory.set(key, ids(1))
  expect(['a', 'b', 'c'].filter((key) => memory.get(key) !== null)).toEqual(['a', 'c'])
  expect(memory.size().entries).toBe(2)
})

test('ids beyond the whole budget push nothing out', () => {
  const { memory } = create({ maxBytes: 2_000 })
  memory.set('a', ids(1))
  memory.set('b', ids(1_000))
  expect([memory.get('a'), memory.get('b')]).toEqual([ids(1), null])
})
