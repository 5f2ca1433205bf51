// Eight holders under traffic of every kind: what the limits allow is never exceeded, and is to be had.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BucketWitness } from '../../test/support/bucket-witness.ts'
import { type Holder, limitBench } from '../../test/support/limit-bench.ts'
import type { TenantLimits } from '../limits/meters.ts'

const HOLDERS = 8

interface Traffic {
  readonly perSecond: number
  readonly seconds: number
  readonly latencyMs: number
  /** How long a request runs. */
  readonly runMs: number
  readonly tokens: number
  /** Whether nearly all goes to one holder. */
  readonly isSkewed: boolean
  readonly seed: number
}

const STEADY: Traffic = {
  perSecond: 40,
  seconds: 20,
  latencyMs: 10,
  runMs: 400,
  tokens: 0,
  isSkewed: false,
  seed: 1,
}

interface Tally {
  passed: number
  refused: number
  /** Requests that waited for the store. */
  waited: number
  calls: number
  mostRunning: number
  requestsOver: number
  tokensOver: number
}

/** Requests that come at random, each to any holder. */
async function drive(given: Partial<TenantLimits>, traffic: Traffic): Promise<Tally> {
  const bench = limitBench(given)
  const { time } = bench
  bench.latencyMs = traffic.latencyMs
  const holders = Array.from({ length: HOLDERS }, (_, at) => bench.holder(`h${at}`))
  const random = randomFrom(traffic.seed)
  const requests = BucketWitness.of(bench.limits.rateLimitRps, 1, 1_000)
  const tokens = BucketWitness.of(bench.limits.tokensPerMinute, 0, 60_000)
  const tally = { passed: 0, refused: 0, waited: 0, calls: 0, mostRunning: 0, requestsOver: 0, tokensOver: 0 }
  let running = 0

  async function send(holder: Holder): Promise<void> {
    const asked = holder.admit(traffic.tokens)
    if (asked instanceof Promise) tally.waited += 1
    const said = await asked
    if (said.kind === 'refused') {
      tally.refused += 1
      return
    }
    tally.passed += 1
    running += 1
    tally.mostRunning = Math.max(tally.mostRunning, running)
    tally.requestsOver = Math.max(tally.requestsOver, requests.take(1, time.now()))
    tally.tokensOver = Math.max(tally.tokensOver, tokens.take(traffic.tokens, time.now()))
    await time.pause(traffic.runMs * (0.5 + random()))
    running -= 1
    said.release()
  }

  const untilMs = time.now() + traffic.seconds * 1_000
  while (time.now() < untilMs) {
    await time.advance((-Math.log(1 - random()) * 1_000) / traffic.perSecond)
    const isFirst = traffic.isSkewed && random() < 0.9
    const holder = isFirst ? holders[0] : holders[Math.floor(random() * HOLDERS)]
    if (holder !== undefined) void send(holder)
  }
  await time.advance(traffic.runMs * 2 + 1_000)
  return { ...tally, calls: bench.reports.length }
}

/** Park and Miller's generator: the same traffic for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

const traffics: fc.Arbitrary<Traffic> = fc.record({
  perSecond: fc.integer({ min: 2, max: 120 }),
  seconds: fc.constantFrom(4, 12),
  latencyMs: fc.constantFrom(2, 20, 150, 480),
  runMs: fc.constantFrom(5, 300, 4_000),
  tokens: fc.integer({ min: 1, max: 500 }),
  isSkewed: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
})

const limits = fc.record({
  rateLimitRps: fc.option(fc.constantFrom(0.5, 3, 20, 60)),
  maxConcurrent: fc.option(fc.constantFrom(1, 5, 40)),
  tokensPerMinute: fc.option(fc.constantFrom(600, 60_000)),
})

test('nothing gets through beyond the limits, whatever the traffic', async () => {
  await fc.assert(
    fc.asyncProperty(limits, traffics, async (given, traffic) => {
      const tally = await drive(given, traffic)
      expect(tally.requestsOver).toBe(0)
      expect(tally.mostRunning).toBeLessThanOrEqual(given.maxConcurrent ?? tally.mostRunning)
      expect(tally.tokensOver).toBeLessThan(traffic.tokens)
    }),
    { numRuns: 40 },
  )
}, 30_000)

describe('what the limits allow', () => {
  test.each([
    ['requests', { rateLimitRps: 80 }, STEADY],
    ['many requests', { rateLimitRps: 1_000 }, { ...STEADY, perSecond: 500, seconds: 5 }],
    ['requests at one holder', { rateLimitRps: 80 }, { ...STEADY, isSkewed: true }],
    ['slots', { maxConcurrent: 50 }, STEADY],
    ['tokens', { tokensPerMinute: 600_000 }, { ...STEADY, perSecond: 10, tokens: 500 }],
  ])('is never refused at half of it: %s', async (_, given, traffic) => {
    expect((await drive(given, traffic)).refused).toBe(0)
  })

  test.each([
    ['twice as much', { ...STEADY, perSecond: 160 }],
    ['ten times as much', { ...STEADY, perSecond: 800, seconds: 8 }],
    ['twice as much at one holder', { ...STEADY, perSecond: 160, isSkewed: true }],
    ['twice as much, far from the store', { ...STEADY, perSecond: 160, latencyMs: 150 }],
  ])('is used in full when there is more to do: %s', async (_, traffic) => {
    const { passed } = await drive({ rateLimitRps: 80 }, traffic)
    expect(passed).toBeGreaterThan(0.95 * 80 * traffic.seconds)
  })

  test('of slots is used in full when there is more to do', async () => {
    const traffic = { ...STEADY, perSecond: 100, runMs: 1_000 }
    const { passed, mostRunning } = await drive({ maxConcurrent: 50 }, traffic)
    expect(mostRunning).toBe(50)
    expect(passed).toBeGreaterThan(0.85 * 50 * traffic.seconds)
  })
})

describe('the store', () => {
  test('is seldom waited for where the limit is far', async () => {
    const { waited, passed, calls } = await drive({ rateLimitRps: 80 }, STEADY)
    expect(waited / passed).toBeLessThan(0.08)
    // Three times a second and holder.
    expect(calls).toBeLessThan(3 * HOLDERS * STEADY.seconds)
  })

  test('is not asked about everything that is refused', async () => {
    const traffic = { ...STEADY, perSecond: 2_000, seconds: 5 }
    const { calls } = await drive({ rateLimitRps: 80 }, traffic)
    expect(calls).toBeLessThan(0.2 * traffic.perSecond * traffic.seconds)
  })
})
