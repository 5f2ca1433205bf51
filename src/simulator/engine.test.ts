// The engine in virtual time: queueing, caching, eviction, aborts, and the same run from the same seed.

import { describe, expect, test } from 'vitest'
import { VirtualClock } from './clock.ts'
import { Engine } from './engine.ts'
import type { EngineOptions } from './engine.ts'
import type { EngineRequest, EngineRun } from './sequence.ts'

const OPTIONS: EngineOptions = {
  seed: 1,
  maxNumSeqs: 2,
  prefillOverheadMs: 10,
  prefillMsPerToken: 1,
  itlMs: 5,
  itlJitter: 0,
  loadFactor: 1,
  kvBlocks: 100,
  stepTokens: 0,
}

interface Submitted {
  readonly run: EngineRun
  readonly tokenTimes: number[]
  finishedAt: number | null
}

function setUp(options: Partial<EngineOptions> = {}) {
  const clock = new VirtualClock()
  const engine = new Engine({ ...OPTIONS, ...options }, clock)
  const submit = (request: Partial<EngineRequest> = {}): Submitted => {
    const tokenTimes: number[] = []
    const submitted: { finishedAt: number | null } = { finishedAt: null }
    const full: EngineRequest = { prompt: ids(32), output: ids(3), finishReason: 'stop', cacheKey: 'm', ...request }
    const run = engine.submit(full, {
      token: () => tokenTimes.push(clock.now()),
      finished: () => {
        submitted.finishedAt = clock.now()
      },
    })
    return Object.assign(submitted, { run, tokenTimes })
  }
  return { clock, engine, submit }
}

function ids(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

describe('timing', () => {
  test('a prefill costs its overhead and each token, then tokens come one interval apart', () => {
    const { clock, submit } = setUp()
    const one = submit()
    clock.runAll()
    expect(one.tokenTimes).toEqual([42, 47, 52])
    expect(one.finishedAt).toBe(52)
  })

  test('intervals grow linearly with what runs, up to the load factor', () => {
    const { clock, submit } = setUp({ maxNumSeqs: 3, loadFactor: 3, prefillMsPerToken: 0 })
    const runs = [submit({ output: ids(2) }), submit({ output: ids(2) }), submit({ output: ids(2) })]
    clock.runAll()
    // Three of three run: factor 3, and each draws its interval before another ends.
    expect(runs.map(({ tokenTimes }) => tokenTimes)).toEqual(Array(3).fill([10, 25]))
  })

  test('jitter stays within 70 %', () => {
    const { clock, submit } = setUp({ itlJitter: 5 })
    const { tokenTimes } = submit({ output: ids(500) })
    clock.runAll()
    const gaps = tokenTimes.slice(1).map((at, index) => at - (tokenTimes[index] ?? 0))
    expect(Math.min(...gaps)).toBeCloseTo(1.5, 6)
    expect(Math.max(...gaps)).toBeCloseTo(8.5, 6)
  })

  test('a late timer catches up', () => {
    const late = new VirtualClock()
    const engine = new Engine(
      { ...OPTIONS, prefillMsPerToken: 0 },
      { now: () => late.now(), after: (ms, run) => late.after(ms + 7, run) },
    )
    const times: number[] = []
    engine.submit(
      { prompt: ids(1), output: ids(6), finishReason: 'stop', cacheKey: '' },
      { token: () => times.push(late.now()), finished: () => {} },
    )
    late.runAll()
    expect(times).toEqual([17, 17, 27, 27, 37, 37])
  })

  test('the same seed gives the same run, another seed another', () => {
    const timesOf = (seed: number): number[] => {
      const { clock, submit } = setUp({ seed, itlJitter: 0.2 })
      const { tokenTimes } = submit({ output: ids(20) })
      clock.runAll()
      return tokenTimes
    }
    expect(timesOf(3)).toEqual(timesOf(3))
    expect(timesOf(3)).not.toEqual(timesOf(4))
  })
})

describe('queue', () => {
  test('what does not fit waits, first come first served', () => {
    const { clock, engine, submit } = setUp({ prefillMsPerToken: 0 })
    const runs = [submit(), submit(), submit(), submit()]
    expect(engine.stats).toMatchObject({ running: 2, waiting: 2 })
    clock.runAll()
    expect(runs.map(({ tokenTimes }) => tokenTimes[0])).toEqual([10, 10, 30, 30])
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0, finished: { stop: 4 } })
  })

  test('an abort frees the slot at once, and one in the queue leaves it', () => {
    const { clock, engine, submit } = setUp({ maxNumSeqs: 1 })
    const [first, second, third] = [submit(), submit(), submit()]
    clock.advance(1)
    second.run.abort()
    expect(engine.stats).toMatchObject({ running: 1, waiting: 1 })
    first.run.abort()
    first.run.abort()
    expect(engine.stats).toMatchObject({ running: 1, waiting: 0, finished: { abort: 2 } })
    clock.runAll()
    expect(first.tokenTimes).toEqual([])
    expect(first.finishedAt).toBeNull()
    expect(third.tokenTimes[0]).toBe(43)
  })

  test('a paused sequence keeps its slot', () => {
    const { clock, engine, submit } = setUp()
    const one = submit()
    clock.advance(44)
    one.run.pause()
    clock.advance(1000)
    expect(one.tokenTimes).toEqual([42])
    expect(engine.stats.running).toBe(1)
    one.run.resume()
    clock.runAll()
    expect(one.tokenTimes).toEqual([42, 1044, 1049])
  })

  test('a prompt larger than the cache runs when it is alone', () => {
    const { clock, engine, submit } = setUp({ kvBlocks: 3 })
    const [small, large] = [submit(), submit({ prompt: ids(160, 1000) })]
    expect(engine.stats).toMatchObject({ running: 1, waiting: 1 })
    clock.runAll()
    expect(small.finishedAt).toBe(52)
    expect(large.tokenTimes[0]).toBe(52 + 170)
  })
})

describe('prefix cache', () => {
  test('a hit lowers the time to the first token; the last prompt token is never cached', () => {
    const { clock, engine, submit } = setUp()
    submit()
    clock.runAll()
    const start = clock.now()
    const again = submit()
    const longer = submit({ prompt: ids(33) })
    clock.runAll()
    expect(again.run.cachedTokens).toBe(16)
    expect(longer.run.cachedTokens).toBe(32)
    expect((longer.tokenTimes[0] ?? 0) - start).toBe(11)
    expect(engine.stats).toMatchObject({ prefixCacheQueries: 97, prefixCacheHits: 48 })
  })

  test('a prefix can be hit as soon as it is computed, not before', () => {
    const { clock, submit } = setUp({ maxNumSeqs: 3 })
    submit({ output: ids(100) })
    const early = submit()
    clock.advance(43)
    const late = submit()
    expect(early.run.cachedTokens).toBe(0)
    expect(late.run.cachedTokens).toBe(16)
  })

  test('the answer is part of the next turn', () => {
    const { clock, submit } = setUp()
    submit({ prompt: ids(32), output: ids(17, 500) })
    clock.runAll()
    const next = submit({ prompt: [...ids(32), ...ids(17, 500), 7] })
    clock.runAll()
    expect(next.run.cachedTokens).toBe(48)
  })

  test('model and salt keep prefixes apart', () => {
    const { clock, submit } = setUp()
    submit({ cacheKey: 'a' })
    clock.runAll()
    expect(submit({ cacheKey: 'b' }).run.cachedTokens).toBe(0)
    expect(submit({ cacheKey: 'a' }).run.cachedTokens).toBe(16)
  })

  test('the prefix longest unused is evicted first, its tail before its head', () => {
    const { clock, submit } = setUp({ kvBlocks: 6 })
    const visit = (first: number): number => {
      const { run } = submit({ prompt: ids(33, first), output: ids(1) })
      clock.runAll()
      return run.cachedTokens
    }
    expect([visit(1000), visit(2000)]).toEqual([0, 0])
    expect(visit(1000)).toBe(32)
    // Three blocks for a third prompt: room for one of the two is left, and 2000 is the older.
    expect(visit(3000)).toBe(0)
    expect(visit(1000)).toBe(32)
    expect(visit(2000)).toBeLessThan(32)
  })

  test('nothing is held when all have ended, however they ended', () => {
    const { clock, engine, submit } = setUp({ maxNumSeqs: 4, kvBlocks: 12 })
    const runs = [0, 1, 2, 3, 4, 5].map((index) => submit({ prompt: ids(40, index % 2), output: ids(30, 900) }))
    clock.advance(60)
    runs[1]?.run.abort()
    expect(engine.cache.usage).toBeGreaterThan(0)
    clock.runAll()
    expect(engine.cache.usage).toBe(0)
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0, finished: { stop: 5, abort: 1 } })
  })
})

describe('steps', () => {
  const steps = { stepTokens: 16, maxNumSeqs: 8 }

  test('a prefill takes a step for each part of the budget, and each step costs its tokens and one interval', () => {
    const { clock, submit } = setUp(steps)
    const one = submit({ prompt: ids(40) })
    clock.runAll()
    // Overhead 10, then steps of 16, 16 and 8 tokens, then one interval for each token more.
    expect(one.tokenTimes).toEqual([10 + 21 + 21 + 13, 70, 75])
  })

  test('prefills wait for each other, and slow down the answers beside them', () => {
    const { clock, submit } = setUp(steps)
    const first = submit({ prompt: ids(16), output: ids(4) })
    const second = submit({ prompt: ids(30, 500), output: ids(2) })
    clock.runAll()
    expect(first.tokenTimes).toEqual([31, 31 + 20, 51 + 20, 71 + 5])
    expect(second.tokenTimes).toEqual([71, 76])
  })

  test('what was computed while it waited is found in the cache', () => {
    const { clock, submit } = setUp(steps)
    const runs = [submit({ prompt: ids(64) }), submit({ prompt: ids(64) })]
    clock.runAll()
    expect(runs.map(({ run }) => run.cachedTokens)).toEqual([0, 48])
  })

  test('slots, aborts, pauses and freezes hold as they do without steps', () => {
    const { clock, engine, submit } = setUp({ ...steps, maxNumSeqs: 2 })
    const runs = [submit({ output: ids(50) }), submit({ output: ids(9) }), submit(), submit({ prompt: [] })]
    clock.advance(100)
    expect(engine.stats).toMatchObject({ running: 2, waiting: 2 })
    runs[0]?.run.abort()
    runs[1]?.run.pause()
    clock.advance(1000)
    expect(engine.stats).toMatchObject({ running: 1, waiting: 0, finished: { stop: 2, abort: 1 } })
    engine.setFrozen(true)
    runs[1]?.run.resume()
    clock.advance(1000)
    expect(engine.stats.running).toBe(1)
    engine.setFrozen(false)
    clock.runAll()
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0, finished: { stop: 3, abort: 1 } })
    expect(engine.cache.usage).toBe(0)
  })

  test('a late timer catches up', () => {
    const late = new VirtualClock()
    const slow = { now: () => late.now(), after: (ms: number, run: () => void) => late.after(ms + 7, run) }
    const engine = new Engine({ ...OPTIONS, ...steps }, slow)
    const times: number[] = []
    engine.submit(
      { prompt: ids(16), output: ids(4), finishReason: 'stop', cacheKey: '' },
      { token: () => times.push(late.now()), finished: () => {} },
    )
    late.runAll()
    expect(times).toEqual([45, 45, 55, 55])
  })
})
