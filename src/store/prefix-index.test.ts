// The index of prefixes: what it says of a candidate is never more than was sent there, within its budget, and put right by
// what workers count.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Chains, ENTRY_BYTES, type IndexedPrompt, PrefixIndex } from './prefix-index.ts'

const ROOMY = { maxBytes: 1_000 * ENTRY_BYTES, maxBlocksEach: null }

const chain = (name: string, blocks: number): string[] => Array.from({ length: blocks }, (_, at) => `${name}${at}`)

function sent(index: PrefixIndex, candidate: string, chains: Chains): IndexedPrompt {
  const prompt = index.begin(candidate, chains)
  prompt.confirm()
  return prompt
}

const held = (index: PrefixIndex, chains: Chains) => Object.fromEntries(index.match(chains))

describe('what it knows', () => {
  test('the leading blocks that a candidate was sent, from the moment an attempt begins', () => {
    const index = new PrefixIndex(ROOMY)
    index.begin('a', [chain('x', 4)])
    sent(index, 'b', [chain('x', 2)])
    expect(held(index, [chain('x', 6)])).toEqual({ a: 4, b: 2 })
    expect(held(index, [chain('x', 1)])).toEqual({ a: 1, b: 1 })
    expect(held(index, [chain('y', 6)])).toEqual({})
    expect(held(index, [['y0', ...chain('x', 4)]])).toEqual({})
  })

  test('prompts of a batch count together', () => {
    const index = new PrefixIndex(ROOMY)
    sent(index, 'a', [chain('x', 3), chain('y', 2)])
    expect(held(index, [chain('y', 5), chain('x', 5)])).toEqual({ a: 5 })
  })

  test('an attempt that never reached its worker leaves what others have put there', () => {
    const index = new PrefixIndex(ROOMY)
    sent(index, 'a', [chain('x', 2)])
    const lost = index.begin('a', [chain('x', 5)])
    lost.takeBack()
    expect(held(index, [chain('x', 5)])).toEqual({ a: 2 })
    const first = index.begin('a', [chain('x', 5)])
    const second = index.begin('a', [chain('x', 6)])
    first.takeBack()
    expect(held(index, [chain('x', 6)])).toEqual({ a: 6 })
    second.confirm()
    expect(held(index, [chain('x', 6)])).toEqual({ a: 6 })
  })

  test('candidates that are gone for good are forgotten, others are not', () => {
    const index = new PrefixIndex(ROOMY)
    sent(index, 'a', [chain('x', 3)])
    const late = index.begin('b', [chain('x', 3)])
    index.retain(new Set(['a']))
    late.confirm()
    expect(held(index, [chain('x', 3)])).toEqual({ a: 3 })
    expect(index.bytes).toBe(3 * ENTRY_BYTES)
  })
})

describe('room', () => {
  test('what was used least recently goes first, whoever holds it, and the end of a prompt before its beginning', () => {
    const index = new PrefixIndex({ maxBytes: 6 * ENTRY_BYTES, maxBlocksEach: null })
    sent(index, 'a', [chain('x', 3)])
    sent(index, 'b', [chain('y', 3)])
    sent(index, 'b', [chain('z', 2)])
    expect(held(index, [chain('x', 3)])).toEqual({ a: 1 })
    expect(held(index, [chain('y', 3)])).toEqual({ b: 3 })
  })

  test('a prompt that is used again stays', () => {
    const index = new PrefixIndex({ maxBytes: 6 * ENTRY_BYTES, maxBlocksEach: null })
    sent(index, 'a', [chain('x', 3)])
    sent(index, 'a', [chain('y', 3)])
    sent(index, 'a', [chain('x', 3)])
    sent(index, 'a', [chain('z', 3)])
    expect(held(index, [chain('x', 3)])).toEqual({ a: 3 })
    expect(held(index, [chain('y', 3)])).toEqual({})
  })

  test('of a prompt longer than a candidate has room for the beginning stays', () => {
    const index = new PrefixIndex({ maxBytes: 100 * ENTRY_BYTES, maxBlocksEach: 4 })
    sent(index, 'a', [chain('x', 9)])
    expect(held(index, [chain('x', 9)])).toEqual({ a: 4 })
  })

  test('smaller limits take effect at once', () => {
    const index = new PrefixIndex(ROOMY)
    for (const id of ['a', 'b', 'c']) sent(index, id, [chain(id, 50)])
    index.setLimits({ maxBytes: 1_000 * ENTRY_BYTES, maxBlocksEach: 20 })
    expect(index.bytes).toBe(60 * ENTRY_BYTES)
    index.setLimits({ maxBytes: 10 * ENTRY_BYTES, maxBlocksEach: null })
    expect(index.bytes).toBe(10 * ENTRY_BYTES)
  })
})

describe('what workers count', () => {
  const conversations = ['p', 'q', 'r', 's', 't', 'u', 'v', 'w']

  function filled(): PrefixIndex {
    const index = new PrefixIndex(ROOMY)
    for (const name of conversations) sent(index, 'a', [chain(name, 10)])
    return index
  }

  test('what is missing was evicted, and with it what is older', () => {
    const index = filled()
    sent(index, 'a', [chain('r', 12)]).correct(0)
    const known = conversations.filter((name) => index.match([chain(name, 10)]).size > 0)
    // The prompt itself has just been computed again.
    expect(known).toEqual(['r', 's', 't', 'u', 'v', 'w'])
  })

  test('a candidate is then taken to have room for no more, and for a little more whenever all was there', () => {
    const index = filled()
    sent(index, 'a', [chain('r', 10)]).correct(0)
    const room = index.bytes / ENTRY_BYTES
    sent(index, 'a', [chain('new', 30)])
    expect(index.bytes / ENTRY_BYTES).toBe(room)
    for (let turn = 0; turn < 50; turn += 1) sent(index, 'a', [chain('new', 30)]).correct(30)
    sent(index, 'a', [chain('other', 60)])
    expect(index.bytes / ENTRY_BYTES).toBeGreaterThan(room)
  })

  test('a worker that has lost everything was restarted: it is taken to have as much room as before', () => {
    const index = filled()
    sent(index, 'a', [chain('w', 10)]).correct(0)
    expect(held(index, [chain('v', 10)])).toEqual({})
    for (const name of conversations) sent(index, 'a', [chain(name, 10)])
    expect(index.bytes / ENTRY_BYTES).toBe(80)
  })

  test('a room that was thought too small grows by what the worker held though nobody knew', () => {
    const index = filled()
    // Restarted: the one whose turn it is was used before all others, so nothing tells this from a small cache.
    for (const name of conversations) sent(index, 'a', [chain(name, 20)]).correct(0)
    const more = [...conversations, 'x', 'y', 'z', 'xx']
    for (let round = 0; round < 3; round += 1) {
      for (const name of more) sent(index, 'a', [chain(name, 20)]).correct(round === 0 ? 0 : 20)
    }
    for (const name of more) expect(held(index, [chain(name, 20)])).toEqual({ a: 20 })
  })

  test.each([
    ['as much as foreseen', 10],
    ['more', 50],
    ['a little less, as bytes are not tokens', 8],
  ])('%s changes nothing', (_, actual) => {
    const index = filled()
    sent(index, 'a', [chain('r', 10)]).correct(actual)
    for (const name of conversations) expect(held(index, [chain(name, 10)])).toEqual({ a: 10 })
  })

  test('what was not there yet when a request began is not missing', () => {
    const index = filled()
    const first = index.begin('a', [chain('x', 20)])
    const second = index.begin('a', [chain('x', 20)])
    first.confirm()
    second.confirm()
    second.correct(0)
    expect(held(index, [chain('p', 10)])).toEqual({ a: 10 })
  })
})

describe('whatever happens', () => {
  const hashes = fc
    .integer({ min: 0, max: 12 })
    .chain((blocks) => fc.constantFrom('x', 'y', 'z').map((name) => chain(name, blocks)))
  const step = fc.record({
    candidate: fc.constantFrom('a', 'b', 'c'),
    chains: fc.array(hashes, { minLength: 1, maxLength: 2 }),
    end: fc.constantFrom('open', 'takeBack', 'confirm', 'correct'),
    actual: fc.nat(12),
  })
  const limits = fc.record({
    entries: fc.integer({ min: 0, max: 30 }),
    maxBlocksEach: fc.option(fc.integer({ min: 1, max: 20 })),
  })

  test('it is never over its budget, and knows no candidate to hold more of a prompt than was sent there', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 40 }), ({ entries, maxBlocksEach }, steps) => {
        const index = new PrefixIndex({ maxBytes: entries * ENTRY_BYTES, maxBlocksEach })
        const longest = new Map<string, number>()
        for (const { candidate, chains, end, actual } of steps) {
          const prompt = index.begin(candidate, chains)
          for (const { length, 0: first = '' } of chains) {
            const key = candidate + first
            longest.set(key, Math.max(longest.get(key) ?? 0, length))
          }
          if (end === 'takeBack') prompt.takeBack()
          if (end === 'confirm' || end === 'correct') prompt.confirm()
          if (end === 'correct') prompt.correct(actual)
          expect(index.bytes).toBeLessThanOrEqual(entries * ENTRY_BYTES)
          expect(index.bytes).toBeGreaterThanOrEqual(0)
          for (const name of ['x', 'y', 'z']) {
            for (const [id, blocks] of index.match([chain(name, 20)])) {
              expect(blocks).toBeLessThanOrEqual(longest.get(`${id}${name}0`) ?? 0)
            }
          }
        }
        index.retain(new Set())
        expect(index.bytes).toBe(0)
      }),
    )
  })
})
