import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryResponseStore } from './response-memory.ts'
import { MAX_MARKS, type StoredAnswer } from './response-store.ts'

const PARTITION = { party: 'acme', model: 'm' }

function answerOf(length: number, epoch: string): StoredAnswer {
  return { ...PARTITION, headers: [], body: new Uint8Array(length), storedAtMs: 0, epoch }
}

function open(maxEntries = 100, maxBytes = 1_000_000) {
  const store = new MemoryResponseStore({ maxEntries, maxBytes })
  const { epoch } = store.find('', PARTITION)
  return { store, put: (key: string, length = 10) => store.put(key, answerOf(length, epoch)) }
}

test('those not used for longest make room', () => {
  const { store, put } = open(3)
  for (const key of ['a', 'b', 'c']) put(key)
  store.find('a', PARTITION)
  put('d')
  expect(['a', 'b', 'c', 'd'].filter((key) => store.find(key, PARTITION).answer !== null)).toEqual(['a', 'c', 'd'])
})

test('an answer beyond the whole budget is not kept, and drives nobody out', () => {
  const { store, put } = open(10, 5_000)
  put('a')
  put('b', 6_000)
  expect(store.find('a', PARTITION).answer).not.toBeNull()
  expect(store.find('b', PARTITION).answer).toBeNull()
})

test('what was asked for before a purge takes up no room, and no newer answer loses its place to it', () => {
  const { store, put } = open()
  store.purge({ kind: 'tenant', name: 'acme' })
  put('a')
  expect(store.size).toEqual({ entries: 0, bytes: 0 })
  const { epoch } = store.find('a', PARTITION)
  store.put('a', answerOf(20, epoch))
  put('a')
  expect(store.find('a', PARTITION).answer?.body.length).toBe(20)
})

test('bytes and entries stay within their budgets, whatever comes', () => {
  const commands = fc.array(
    fc.tuple(
      fc.constantFrom('put', 'find', 'purge'),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 3_000 }),
    ),
  )
  fc.assert(
    fc.property(commands, (made) => {
      const store = new MemoryResponseStore({ maxEntries: 5, maxBytes: 8_000 })
      for (const [kind, n, length] of made) {
        const { epoch } = store.find(`${n}`, PARTITION)
        if (kind === 'put') store.put(`${n}`, answerOf(length, epoch))
        if (kind === 'purge') store.purge(n % 2 === 0 ? { kind: 'all' } : { kind: 'key', name: `${n}` })
        const { entries, bytes } = store.size
        expect(entries).toBeLessThanOrEqual(5)
        expect(bytes).toBeLessThanOrEqual(8_000)
        expect(bytes >= 0 && (entries === 0) === (bytes === 0)).toBe(true)
      }
    }),
  )
})

test('purges of more names than are remembered purge everything', () => {
  const { store, put } = open()
  put('a')
  for (let n = 0; n < MAX_MARKS; n += 1) store.purge({ kind: 'model', name: `other-${n}` })
  expect(store.find('a', PARTITION).answer).not.toBeNull()
  store.purge({ kind: 'model', name: 'one-more' })
  expect(store.find('a', PARTITION).answer).toBeNull()
})
