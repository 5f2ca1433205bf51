// cache_aware: the candidate that will have read the prompt first, in milliseconds.

import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import type { PrefixFact } from '../cache-facts.ts'
import { decide, type Decision } from '../decide.ts'
import type { CandidateView } from '../policy.ts'
import { cacheAware } from './cache-aware.ts'

policyConformance('cache_aware', cacheAware)
policyConformance('cache_aware', cacheAware, {
  cache_threshold: 0.5,
  balance_abs_threshold: 32,
  balance_rel_threshold: 1.1,
})

const prompt: PrefixFact = { promptTokens: 10_000, cachedTokens: {}, backlogTokens: {}, prefillMsPerToken: 0.2 }

function choose(
  fleet: readonly CandidateView[],
  prefix: Partial<PrefixFact> | null,
  { options = {}, seed = 1 }: { readonly options?: object; readonly seed?: number } = {},
): Decision {
  const policy = cacheAware.create(cacheAware.options.parse({ request_ms: 20, ...options }))
  return decide(inputOf({ prefix: prefix && { ...prompt, ...prefix } }), { policy }, viewOf(fleet), seed)
}

const scraped = { running: 0, waiting: 0, kvUsage: null, ours: 0, ageMs: 0 }

describe('in one unit', () => {
  test.each([
    ['nothing known: the least loaded', [candidateOf('a', { inFlightHere: 2 }), candidateOf('b')], {}, 'b'],
    ['what is cached is not computed', [candidateOf('a'), candidateOf('b')], { cachedTokens: { a: 8_000 } }, 'a'],
    ['the longest match', [candidateOf('a'), candidateOf('b')], { cachedTokens: { a: 8_000, b: 9_000 } }, 'b'],
    [
      'a queue shorter than what the cache saves',
      [candidateOf('a', { inFlightHere: 1 }), candidateOf('b')],
      { cachedTokens: { a: 8_000 }, backlogTokens: { a: 7_000 } },
      'a',
    ],
    [
      'a queue longer than what the cache saves',
      [candidateOf('a', { inFlightHere: 1 }), candidateOf('b')],
      { cachedTokens: { a: 8_000 }, backlogTokens: { a: 9_000 } },
      'b',
    ],
    [
      'what others have there waits like ours',
      [candidateOf('a', { inFlightElsewhere: 9 }), candidateOf('b', { inFlightHere: 2 })],
      { cachedTokens: { a: 8_000 }, backlogTokens: { b: 3_000 } },
      'b',
    ],
    [
      'what came past all routers, too',
      [candidateOf('a', { scraped: { ...scraped, waiting: 9 } }), candidateOf('b', { scraped, inFlightHere: 2 })],
      { cachedTokens: { a: 8_000 }, backlogTokens: { b: 3_000 } },
      'b',
    ],
    [
      'many requests outweigh a short match',
      [candidateOf('a', { inFlightHere: 30 }), candidateOf('b')],
      { cachedTokens: { a: 500 } },
      'b',
    ],
    [
      'a larger worker is done with its queue earlier',
      [candidateOf('a', { weight: 4 }), candidateOf('b')],
      { backlogTokens: { a: 8_000, b: 4_000 } },
      'a',
    ],
    [
      'more than there is of it counts as all of it',
      [candidateOf('a'), candidateOf('b')],
      { cachedTokens: { a: 99_999 } },
      'a',
    ],
  ] as const)('%s', (_, fleet, prefix, chosen) => {
    expect(choose(fleet, prefix).chosen?.id).toBe(chosen)
  })

  test('the parts say it', () => {
    const fleet = [candidateOf('a', { inFlightHere: 2, inFlightElsewhere: 1 })]
    const { candidates } = choose(fleet, { cachedTokens: { a: 8_000 }, backlogTokens: { a: 1_000 } })
    expect(candidates[0]).toMatchObject({
      score: -(400 + 300 + 60),
      parts: { cached_tokens: 8_000, prefill_ms: 400, queue_ms: 360, backlog_tokens: 1_500, load: 3 },
    })
  })

  test('without a prompt it is the least load', () => {
    expect(choose([candidateOf('a', { inFlightHere: 1 }), candidateOf('b')], null).chosen?.id).toBe('b')
  })
})

describe('ties', () => {
  test('equal matches go to the least loaded, never to the emptiest cache', () => {
    const fleet = [candidateOf('a', { inFlightHere: 1 }), candidateOf('b'), candidateOf('c', { inFlightHere: 1 })]
    expect(choose(fleet, { cachedTokens: { a: 4_000, b: 4_000, c: 4_000 } }).chosen?.id).toBe('b')
    expect(choose(fleet, { cachedTokens: {} }).chosen?.id).toBe('b')
  })

  test('an idle fleet is used evenly', () => {
    const fleet = ['a', 'b', 'c', 'd'].map((id) => candidateOf(id))
    const counts = tally(Array.from({ length: 4_000 }, (_, seed) => choose(fleet, {}, { seed }).chosen?.id))
    for (const count of Object.values(counts)) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })

  test('a name that every object has is no match', () => {
    expect(choose([candidateOf('constructor', { inFlightHere: 1 }), candidateOf('b')], {}).chosen?.id).toBe('b')
  })
})

describe('thresholds of the Rust router', () => {
  const fleet = [candidateOf('a', { inFlightHere: 3 }), candidateOf('b')]

  test('`cache_threshold`: less than this part of the prompt is no match', () => {
    const half = { cachedTokens: { a: 5_000 } }
    expect(choose(fleet, half, { options: { cache_threshold: 0.4 } }).chosen?.id).toBe('a')
    expect(choose(fleet, half, { options: { cache_threshold: 0.5 } }).chosen?.id).toBe('b')
  })

  test.each([
    [{ balance_abs_threshold: 2, balance_rel_threshold: 1.1 }, 'b'],
    [{ balance_abs_threshold: 3, balance_rel_threshold: 1.1 }, 'a'],
    [{ balance_abs_threshold: 2 }, 'b'],
    [{ balance_rel_threshold: 1.1 }, 'a'],
  ])('%j: an uneven fleet is evened out whatever is cached', (options, chosen) => {
    expect(choose(fleet, { cachedTokens: { a: 9_000 } }, { options }).chosen?.id).toBe(chosen)
  })

  test('what has no effect, or too much, is said', () => {
    const warningsOf = (options: object) => cacheAware.warnings?.(cacheAware.options.parse(options)) ?? []
    expect(warningsOf({ cache_threshold: 0.5, balance_abs_threshold: 32, balance_rel_threshold: 1.1 })).toEqual([])
    expect(warningsOf({ eviction_interval_secs: 30 })[0]).toMatch(/`eviction_interval_secs` has no effect/)
    expect(warningsOf({ max_tree_size: 10_000 })[0]).toMatch(/`max_tree_size` lets the router remember 4 blocks/)
    expect(warningsOf({ max_tree_size: 67_108_864 })).toEqual([])
  })
})
