import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createBreaker, FAILURES_TO_OPEN, OPEN_MS } from '../upstream/breaker.ts'
import { PrefixHintBook } from './prefix-hint-book.ts'
import type { PrefixHintStore } from './prefix-hints.ts'
import { askedLengths, createToldPrefixes, type ToldPrefixesOptions, toldLengths } from './told-prefixes.ts'

const BUDGET_MS = 5
const TTL_MS = 300_000

/** Chained keys of a prompt: those of two prompts are the same as long as their blocks are. */
const keysOf = (blocks: string) => Array.from(blocks, (_, at) => blocks.slice(0, at + 1))

function create(given: Partial<ToldPrefixesOptions> = {}) {
  const clock = createFakeClock()
  const book = new PrefixHintBook(1_000)
  const calls = { reads: 0, writes: 0 }
  const store: PrefixHintStore = {
    async read(keys) {
      calls.reads += 1
      return book.read(keys, clock.now())
    },
    async write(keys, candidateId, ttlMs) {
      calls.writes += 1
      book.write(keys, { candidateId, expiresAtMs: clock.now() + ttlMs })
    },
  }
  const bounds = () => ({ gate: createBreaker({ now: clock.now }), budgetMs: BUDGET_MS, after: clock.after })
  const prefixes = createToldPrefixes({
    store,
    reads: bounds(),
    writes: bounds(),
    ttlMs: TTL_MS,
    writeProbability: 1,
    readsOnLocalMiss: true,
    random: () => 0.5,
    ...given,
  })
  const beside: Promise<unknown>[] = []
  return {
    clock,
    calls,
    find: (blocks: string, signal = new AbortController().signal) => prefixes.find(keysOf(blocks), signal),
    async note(blocks: string, worker: string) {
      prefixes.note(keysOf(blocks), worker, (task) => void beside.push(task))
      await Promise.all(beside)
    },
  }
}

describe('a prompt', () => {
  test('that goes on from another finds all of it', async () => {
    const { find, note } = create()
    await note('abcde', 'w1')
    expect(await find('abcdexyz')).toEqual({ hint: { candidateId: 'w1', blocks: 5 }, outcome: 'ok' })
  })

  test('that shares a beginning finds the power of two below it', async () => {
    const { find, note } = create()
    await note('abcdefghij', 'w1')
    expect(await find('abcdefXY')).toMatchObject({ hint: { candidateId: 'w1', blocks: 4 } })
    expect(await find('aX')).toMatchObject({ hint: { blocks: 1 } })
    expect(await find('Xa')).toEqual({ hint: null, outcome: 'miss' })
  })

  test('of thousands of blocks is asked about with a few dozen keys, and found by what it had 32 blocks ago', async () => {
    const long = Array.from({ length: 2_000 }, (_, at) => at)
    expect(askedLengths(long.length).length).toBeLessThan(50)
    expect(toldLengths(long.length)).toEqual([2_000, 1_024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1])
    expect(askedLengths(2_000).slice(0, 3)).toEqual([2_000, 1_999, 1_998])
    expect(askedLengths(2_000)).toContain(1_969)
    expect(askedLengths(2_000).at(-1)).toBe(1)
  })

  test('without a whole block is nobody’s', async () => {
    const { find, note, calls } = create()
    await note('', 'w1')
    expect(await find('')).toEqual({ hint: null, outcome: 'not_asked' })
    expect(calls).toEqual({ reads: 0, writes: 0 })
  })
})

test('the last word counts, and is forgotten in time', async () => {
  const { find, note, clock } = create()
  await note('ab', 'w1')
  await note('ab', 'w2')
  expect(await find('ab')).toMatchObject({ hint: { candidateId: 'w2' } })
  clock.advance(TTL_MS)
  expect(await find('ab')).toEqual({ hint: null, outcome: 'miss' })
})

test('an answer is told of with the probability that is configured', async () => {
  const draws = [0.09, 0.1, 0.5, 0.99]
  const { note, calls } = create({ writeProbability: 0.1, random: () => draws.shift() ?? 0 })
  for (const blocks of ['a', 'b', 'c', 'd']) await note(blocks, 'w1')
  expect(calls.writes).toBe(1)
})

test('nobody is asked where a local miss is to be one', async () => {
  const { find, note, calls } = create({ readsOnLocalMiss: false })
  await note('ab', 'w1')
  expect(await find('ab')).toEqual({ hint: null, outcome: 'not_asked' })
  expect(calls).toEqual({ reads: 0, writes: 1 })
})

describe('a store', () => {
  const never = () => new Promise<never>(() => {})

  test('that is slow costs the budget, and after some questions nothing', async () => {
    let asked = 0
    const read = () => {
      asked += 1
      return never()
    }
    const { find, clock } = create({ store: { read, write: never } })
    for (let round = 0; round < FAILURES_TO_OPEN; round += 1) {
      const found = find('ab')
      clock.advance(BUDGET_MS)
      expect(await found).toEqual({ hint: null, outcome: 'timeout' })
    }
    // The clock stands still: a question would never be answered.
    expect(await find('ab')).toEqual({ hint: null, outcome: 'breaker_open' })
    expect(asked).toBe(FAILURES_TO_OPEN)
    clock.advance(OPEN_MS)
    const probe = find('ab')
    expect(asked).toBe(FAILURES_TO_OPEN + 1)
    clock.advance(BUDGET_MS)
    await probe
  })

  test('that fails is a miss, and what is written there is nobody’s loss', async () => {
    const fails = () => Promise.reject(new Error('gone'))
    const { find, note } = create({ store: { read: fails, write: fails } })
    await note('ab', 'w1')
    expect(await find('ab')).toEqual({ hint: null, outcome: 'unreachable' })
  })

  test('is waited for no longer than the request lives', async () => {
    const { find, clock } = create({ store: { read: never, write: never } })
    const caller = new AbortController()
    const found = find('ab', caller.signal)
    caller.abort()
    expect(await found).toEqual({ hint: null, outcome: 'aborted' })
    expect(await find('ab', caller.signal)).toEqual({ hint: null, outcome: 'aborted' })
    expect(clock.pending()).toBe(0)
  })
})
