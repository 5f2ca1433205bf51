import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createBreaker, FAILURES_TO_OPEN, OPEN_MS } from '../upstream/breaker.ts'
import { StoredTokens } from './stored-tokens.ts'
import { keyOf } from './template-input.ts'
import type { LoadIds } from './token-cache.ts'
import { TokenMemory } from './token-memory.ts'
import type { TokenStore } from './token-store.ts'

const prompt = (content: string, tenant: string | null = null) => ({
  tenant,
  model: 'm',
  fields: { messages: [{ role: 'user', content }] },
})

const BUDGET_MS = 20

function create({ store, canJoin = true }: { readonly store?: TokenStore; readonly canJoin?: boolean } = {}) {
  const clock = createFakeClock()
  const bounds = () => ({ gate: createBreaker({ now: clock.now }), budgetMs: BUDGET_MS, after: clock.after })
  const cache = new StoredTokens({
    memory: new TokenMemory({ maxBytes: 1e6, maxEntries: 100, ttlMs: 1_000, now: clock.now }),
    shared: store === undefined ? null : { store, reads: bounds(), writes: bounds() },
    prefixes: null,
    canJoin,
  })
  const beside: Promise<unknown>[] = []
  const request = {
    signal: new AbortController().signal,
    waitUntil: (task: Promise<unknown>) => void beside.push(task),
  }
  return { clock, cache, request, settled: () => Promise.all(beside) }
}

/** Counts what is asked of it; each text is its own length and 7. */
function createTokenizer() {
  const asked: unknown[] = []
  const load: LoadIds = async (fields) => {
    asked.push(fields)
    return [JSON.stringify(fields).length, 7]
  }
  return { asked, load }
}

/** Answers when it is told to. */
function createHeldTokenizer() {
  const waiting: ((ids: readonly number[]) => void)[] = []
  let asked = 0
  const load: LoadIds = () => {
    asked += 1
    return new Promise((resolve) => waiting.push(resolve))
  }
  return { load, asked: () => asked, finish: (ids: readonly number[]) => waiting.forEach((give) => give(ids)) }
}

/** A store of all processes, in memory. */
function createStore() {
  const kept = new Map<string, Uint32Array>()
  const calls = { reads: 0, writes: 0 }
  const store: TokenStore = {
    async findFirst(keys) {
      calls.reads += 1
      const index = keys.findIndex((key) => kept.has(key))
      const ids = kept.get(keys[index] ?? '')
      return ids === undefined ? null : { index, ids }
    },
    async put(key, ids) {
      calls.writes += 1
      kept.set(key, ids)
    },
  }
  return { store, calls, kept }
}

test('the same prompt is tokenised once, another one anew', async () => {
  const { cache, request } = create()
  const { asked, load } = createTokenizer()
  const first = await cache.idsFor(prompt('Hi'), load, request)
  const second = await cache.idsFor(prompt('Hi'), load, request)
  expect([first?.source, second?.source]).toEqual(['loaded', 'memory'])
  expect(second?.ids).toEqual(first?.ids)
  await cache.idsFor(prompt('Hello'), load, request)
  await cache.idsFor(prompt('Hi', 'tenant'), load, request)
  expect(asked).toHaveLength(3)
})

test('what can be no ids, or is none, is not kept', async () => {
  const { cache, request } = create()
  for (const bad of [null, [-1], [1.5], [2 ** 32]]) {
    expect(await cache.idsFor(prompt('Hi'), async () => bad, request)).toBeNull()
  }
  const { asked, load } = createTokenizer()
  await cache.idsFor(prompt('Hi'), load, request)
  expect(asked).toHaveLength(1)
})

describe('equal prompts at the same time', () => {
  test('are tokenised once', async () => {
    const { cache, request } = create()
    const held = createHeldTokenizer()
    const first = cache.idsFor(prompt('Hi'), held.load, request)
    await expect.poll(held.asked).toBe(1)
    const { asked, load } = createTokenizer()
    const second = cache.idsFor(prompt('Hi'), load, request)
    await keyOf(prompt('Hi'))
    held.finish([1])
    expect((await second)?.ids).toEqual((await first)?.ids)
    expect(asked).toHaveLength(0)
  })

  test('each for itself where no request may wait for another', async () => {
    const { cache, request } = create({ canJoin: false })
    const held = createHeldTokenizer()
    const found = [1, 2].map(() => cache.idsFor(prompt('Hi'), held.load, request))
    await expect.poll(held.asked).toBe(2)
    held.finish([1])
    expect(await Promise.all(found)).toMatchObject([{ source: 'loaded' }, { source: 'loaded' }])
  })

  test('a first one that gets nothing, or fails, leaves the others to see for themselves', async () => {
    for (const nothing of [async () => null, async () => Promise.reject(new Error('gone'))]) {
      const { cache, request } = create()
      const { load } = createTokenizer()
      const [first, second] = await Promise.allSettled([
        cache.idsFor(prompt('Hi'), nothing, request),
        cache.idsFor(prompt('Hi'), load, request),
      ])
      expect(first).not.toMatchObject({ value: { source: 'loaded' } })
      expect(second).toMatchObject({ value: { source: 'loaded' } })
    }
  })

  test('one that leaves waits no longer, and takes nobody with it', async () => {
    const { cache, request } = create()
    const held = createHeldTokenizer()
    const first = cache.idsFor(prompt('Hi'), held.load, request)
    await expect.poll(held.asked).toBe(1)
    const leaver = new AbortController()
    const left = cache.idsFor(prompt('Hi'), held.load, { ...request, signal: leaver.signal })
    await keyOf(prompt('Hi'))
    leaver.abort()
    expect(await left).toBeNull()
    held.finish([1])
    expect(await first).toMatchObject({ source: 'loaded' })
    expect(held.asked()).toBe(1)
  })
})

describe('a shared store', () => {
  test('serves another process, which then has it in memory', async () => {
    const { store, calls } = createStore()
    const [one, other] = [create({ store }), create({ store })]
    const { asked, load } = createTokenizer()
    await one.cache.idsFor(prompt('Hi'), load, one.request)
    await one.settled()
    expect(await other.cache.idsFor(prompt('Hi'), load, other.request)).toMatchObject({ source: 'shared' })
    expect(await other.cache.idsFor(prompt('Hi'), load, other.request)).toMatchObject({ source: 'memory' })
    expect(asked).toHaveLength(1)
    expect(calls).toEqual({ reads: 2, writes: 1 })
  })

  test('that hangs costs its budget and no more, and nothing once the breaker is open', async () => {
    let reads = 0
    const hanging: TokenStore = {
      findFirst() {
        reads += 1
        return new Promise(() => {})
      },
      put: () => new Promise(() => {}),
    }
    const { cache, clock, request } = create({ store: hanging })
    const { load } = createTokenizer()
    for (let at = 0; at < FAILURES_TO_OPEN; at += 1) {
      const found = cache.idsFor(prompt(`q${at}`), load, request)
      await expect.poll(() => reads).toBe(at + 1)
      clock.advance(BUDGET_MS)
      expect(await found).toMatchObject({ source: 'loaded' })
    }
    // The clock stands still from here on: a call would never end.
    expect(await cache.idsFor(prompt('next'), load, request)).toMatchObject({ source: 'loaded' })
    expect(reads).toBe(FAILURES_TO_OPEN)
    clock.advance(OPEN_MS)
    const probe = cache.idsFor(prompt('later'), load, request)
    await expect.poll(() => reads).toBe(FAILURES_TO_OPEN + 1)
    clock.advance(BUDGET_MS)
    await probe
  })

  test('costs no more than the request has time for', async () => {
    const hanging: TokenStore = { findFirst: () => new Promise(() => {}), put: async () => {} }
    const { cache, clock, request } = create({ store: hanging })
    const { asked, load } = createTokenizer()
    const found = cache.idsFor(prompt('Hi'), load, { ...request, budgetMs: 3 })
    await expect.poll(() => clock.pending()).toBe(1)
    clock.advance(3)
    expect(await found).toMatchObject({ source: 'loaded' })
    expect(asked).toHaveLength(1)
  })

  test('that fails is a miss', async () => {
    const failing: TokenStore = { findFirst: () => Promise.reject(new Error()), put: () => Promise.reject(new Error()) }
    const { cache, request, settled } = create({ store: failing })
    const { load } = createTokenizer()
    expect(await cache.idsFor(prompt('Hi'), load, request)).toMatchObject({ source: 'loaded' })
    await settled()
    expect(await cache.idsFor(prompt('Hi'), load, request)).toMatchObject({ source: 'memory' })
  })
})
