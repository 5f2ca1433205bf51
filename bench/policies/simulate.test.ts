// Small fleets in virtual time, over a made-up trace of conversations: the ranking that the whole bench is about, the same
// run twice, and that large blocks find what vLLM's small ones do.

import { describe, expect, test } from 'vitest'
import { encodeText, SPECIAL_TOKENS } from '../../src/simulator/tokenizer.ts'
import { ceilingOf } from './ceiling.ts'
import { type ContenderName, contenderOf } from './contenders.ts'
import { conversations } from './made-up-trace.ts'
import { CONTROLLER_MODEL, engineModel } from './model.ts'
import { figuresOf } from './outcome.ts'
import { prepare } from './prepared.ts'
import { textOf, tokensOf } from './prompts.ts'
import { measureRate, simulate, type Simulation } from './simulate.ts'
import { atRate } from './trace.ts'

const requests = conversations(100, 3)
const ceiling = ceilingOf(requests).tokenShare
const WORKERS = 8

function simulationOf(name: ContenderName, given: Partial<Simulation> = {}, blockTokens = 256): Simulation {
  const { policy, isOmniscient } = contenderOf(name)
  const fleet = { workers: WORKERS, routers: 1, engine: engineModel(8_192, blockTokens), controller: CONTROLLER_MODEL }
  return { trace: prepare(requests, blockTokens), policy, isOmniscient, ...fleet, ...given }
}

const capacity = measureRate(simulationOf('least_load'), 32 * WORKERS)
const arrivals = atRate(
  requests.map(({ stampMs }) => stampMs),
  capacity * 0.85,
)

function run(name: ContenderName, given: Partial<Simulation> = {}, blockTokens = 256) {
  const outcomes = simulate(simulationOf(name, given, blockTokens), arrivals)
  return { outcomes, figures: figuresOf(outcomes, WORKERS, ceiling) }
}

describe('prompts', () => {
  const [first, second] = [
    requests[0],
    requests.find(({ blocks }) => blocks[1] === requests[0]?.blocks[1] && blocks.length > 5),
  ]

  test('have the length of the trace, and the template around them', () => {
    for (const request of requests.slice(0, 5)) {
      const tokens = tokensOf(request)
      expect(encodeText(textOf(request)).length).toBe(request.promptTokens)
      expect(tokens.length).toBe(request.promptTokens + 4)
      expect(tokens[0]).toBe(SPECIAL_TOKENS.begin)
    }
  })

  test('share the text of the blocks they share, and no more', () => {
    if (first === undefined || second === undefined) throw new Error('the conversation has no second turn')
    const [one, other] = [textOf(first), textOf(second)]
    expect(other.slice(0, 4 * 512 * 4)).toBe(one.slice(0, 4 * 512 * 4))
    expect(textOf({ ...first, blocks: [7_777] }).slice(0, 8)).not.toBe(one.slice(0, 8))
  })
})

describe('a small fleet', () => {
  test('every request is answered, by every policy', () => {
    for (const name of [
      'random',
      'round_robin',
      'power_of_two',
      'consistent_hash',
      'lmcache_aware (occupancy)',
    ] as const) {
      const { outcomes } = run(name)
      expect(outcomes.filter((outcome) => outcome !== undefined && outcome.worker !== null).length).toBe(
        requests.length,
      )
    }
  })

  test('cache_aware finds far more than random, and close to what the oracle finds', () => {
    const [random, ours, oracle] = [run('random').figures, run('cache_aware').figures, run('oracle').figures]
    expect(ours.hitShare).toBeGreaterThan(2 * random.hitShare)
    expect(ours.hitShare).toBeGreaterThan(0.9 * oracle.hitShare)
    expect(ours.ofCeiling).toBeLessThanOrEqual(1)
    expect(ours.firstTokenP90Ms).toBeLessThan(random.firstTokenP90Ms)
  })

  test('a lookup at the coordinator finds nearly as much, at its price', () => {
    const lookups = run('lmcache_aware (coordinator)').figures
    expect(lookups.hitShare).toBeGreaterThan(1.5 * run('random').figures.hitShare)
    expect(lookups.lookupsPerRequest).toBe(1)
    expect(lookups.lookupMs).toBeGreaterThan(4)
  })

  test('a lookup at the legacy controller finds nearly as much as cache_aware, and what it misses waits no longer', () => {
    const [lookups, ours] = [run('lmcache_aware (prefix_lookup)').figures, run('cache_aware').figures]
    expect(lookups.hitShare).toBeGreaterThan(ours.hitShare - 0.05)
    // Not by imbalance: of workers that are idle alike the fullest gets a miss, and on this small fleet many are.
    expect(lookups.firstTokenP90Ms).toBeLessThan(run('least_load').figures.firstTokenP90Ms)
  })

  test('full caches do not get everything, where they alone decide', () => {
    const [occupancy, random] = [run('lmcache_aware (occupancy)').figures, run('random').figures]
    expect(occupancy.firstTokenP90Ms).toBeLessThan(1.5 * random.firstTokenP90Ms)
    expect(occupancy.imbalance).toBeLessThan(1.3)
  })

  test('routers with an index each find less than one that sees everything', () => {
    const [one, four] = [run('cache_aware').figures, run('cache_aware', { routers: 4 }).figures]
    expect(four.hitShare).toBeLessThan(one.hitShare)
  })

  test('the same run twice gives the same outcomes, to the last bit', () => {
    for (const name of ['random', 'cache_aware', 'lmcache_aware (prefix_lookup)'] as const) {
      expect(run(name).outcomes).toEqual(run(name).outcomes)
    }
  })

  test('engines in blocks of 256 tokens find what they do in blocks of 16', () => {
    for (const name of ['least_load', 'cache_aware'] as const) {
      const [large, small] = [run(name).figures, run(name, {}, 16).figures]
      // Of each hit up to a block is lost, and these prompts are short: 2,000 tokens on average.
      expect(Math.abs(large.hitShare - small.hitShare)).toBeLessThan(0.06)
      expect(large.firstTokenP50Ms / small.firstTokenP50Ms).toBeGreaterThan(0.75)
      expect(large.firstTokenP50Ms / small.firstTokenP50Ms).toBeLessThan(1.33)
    }
  })
})
