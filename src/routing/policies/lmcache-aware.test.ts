// lmcache_aware: a known prefix first, then full caches, then another policy; and who is said to have chosen.

import { Secret } from '../../secret.ts'
import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, viewOf } from '../../../test/conformance/policy.ts'
import type { LmcacheFact, PrefixFact } from '../cache-facts.ts'
import { decide, type Decision } from '../decide.ts'
import type { CandidateView, PolicyRegistry } from '../policy.ts'
import { BUILT_IN_POLICIES } from './index.ts'
import { lmcacheAware } from './lmcache-aware.ts'

policyConformance('lmcache_aware', lmcacheAware)
policyConformance('lmcache_aware', lmcacheAware, { lookup_mode: 'prefix_lookup', cache_weight: 1 })

function create(options: object = {}, others: PolicyRegistry = BUILT_IN_POLICIES) {
  return lmcacheAware.create(lmcacheAware.options.parse(options), others)
}

const FACT: LmcacheFact = { matchedTokens: null, promptTokens: 4_096, chunkCounts: null, prefillMsPerToken: 0.2 }

interface Given {
  readonly fleet?: readonly CandidateView[]
  readonly lmcache?: Partial<LmcacheFact> | null
  readonly prefix?: PrefixFact
  readonly options?: object
}

const FLEET = ['a', 'b', 'c'].map((id) => candidateOf(id))

function choose({ fleet = FLEET, lmcache = {}, prefix, options = {} }: Given, seed = 1): Decision {
  const policy = create({ lookup_mode: 'prefix_lookup', ...options })
  const input = inputOf({ lmcache: lmcache === null ? null : { ...FACT, ...lmcache }, prefix: prefix ?? null })
  return decide(input, { policy }, viewOf(fleet), seed)
}

const told = ({ chosen, method, policy }: Decision) => [chosen?.id, method, policy]

describe('the chain', () => {
  const chunkCounts = { a: 10, b: 500, c: 100 }

  test.each<[string, Given, unknown[]]>([
    [
      'a match comes first',
      { lmcache: { matchedTokens: { c: 1_024 }, chunkCounts } },
      ['c', 'lmcache-prefix', 'lmcache_aware'],
    ],
    [
      'the longest of several',
      { lmcache: { matchedTokens: { a: 512, c: 1_024 } } },
      ['c', 'lmcache-prefix', 'lmcache_aware'],
    ],
    ['then the fullest cache', { lmcache: { matchedTokens: {}, chunkCounts } }, ['b', 'policy', 'lmcache_aware']],
    ['also when nobody was asked', { lmcache: { chunkCounts } }, ['b', 'policy', 'lmcache_aware']],
    [
      'a match of somebody else is none',
      { lmcache: { matchedTokens: { gone: 1_024 }, chunkCounts } },
      ['b', 'policy', 'lmcache_aware'],
    ],
  ])('%s', (_, given, expected) => expect(told(choose(given))).toEqual(expected))

  test.each<[string, Partial<LmcacheFact> | null]>([
    ['nothing is known', null],
    ['nothing came of it', {}],
    ['all caches are empty', { matchedTokens: {}, chunkCounts: { a: 0, b: 0, c: 0 } }],
    ['the cache that is known is nobody’s here', { chunkCounts: { gone: 7 } }],
  ])('where %s, the fallback decides under its own name', (_, lmcache) => {
    const { method, policy, candidates } = choose({ lmcache, options: { fallback_policy: 'least_load' } })
    expect([method, policy]).toEqual(['policy', 'least_load'])
    expect(candidates[0]?.parts).toHaveProperty('in_flight_here')
  })

  test('who can not take the request is passed over', () => {
    const fleet = [candidateOf('a', { availability: 'down' }), candidateOf('b'), candidateOf('c')]
    expect(told(choose({ fleet, lmcache: { matchedTokens: { a: 4_096, b: 512 } } }))).toEqual([
      'b',
      'lmcache-prefix',
      'lmcache_aware',
    ])
  })

  test('ranks of an engine share what its worker holds', () => {
    const fleet = [0, 1].map((rank) => candidateOf(`a@${rank}`, { workerId: 'a', rank })).concat(candidateOf('b'))
    const { chosen, candidates } = choose({ fleet, lmcache: { matchedTokens: { a: 512 } } })
    expect(chosen?.workerId).toBe('a')
    expect(candidates.map(({ parts }) => parts['matched_tokens'])).toEqual([512, 512, 0])
  })
})

describe('a match against load', () => {
  const matchedTokens = { a: 1_024 }
  // 1,024 tokens at 0.2 ms save 205 ms; 3,000 tokens that wait there take 600.
  const backlog = { promptTokens: 4_096, cachedTokens: {}, backlogTokens: { a: 3_000 }, prefillMsPerToken: 0.2 }
  const fleet = [candidateOf('a', { inFlightHere: 1 }), candidateOf('b'), candidateOf('c')]

  test('is weighed in milliseconds', () => {
    const { candidates } = choose({
      fleet,
      lmcache: { matchedTokens },
      prefix: backlog,
      options: { cache_weight: 0.5 },
    })
    expect(candidates[0]?.parts).toMatchObject({ matched_tokens: 1_024, load: 1 })
    expect(candidates[0]?.parts['saved_ms']).toBeCloseTo(204.8)
    expect(candidates[0]?.parts['queue_ms']).toBeCloseTo(620)
    expect(candidates[0]?.score).toBeCloseTo((204.8 - 620) / 2)
    expect(candidates[1]).toMatchObject({ score: 0, parts: { matched_tokens: 0, saved_ms: 0, queue_ms: 0 } })
  })

  test('may lose, and then the prefix did not choose', () => {
    const decision = choose({ fleet, lmcache: { matchedTokens }, prefix: backlog, options: { cache_weight: 0.5 } })
    expect(decision.chosen?.id).not.toBe('a')
    expect([decision.method, decision.policy]).toEqual(['policy', 'lmcache_aware'])
  })

  test('always wins at a weight of one; of equal matches the idlest', () => {
    const options = { cache_weight: 1 }
    for (let seed = 0; seed < 20; seed += 1) {
      expect(choose({ fleet, lmcache: { matchedTokens }, prefix: backlog, options }, seed).chosen?.id).toBe('a')
      const both = { matchedTokens: { a: 1_024, b: 1_024, c: 768 } }
      expect(choose({ fleet, lmcache: both, prefix: backlog, options }, seed).chosen?.id).toBe('b')
    }
  })

  test('means nothing at a weight of zero', () => {
    expect(choose({ fleet, lmcache: { matchedTokens }, options: { cache_weight: 0 } }).chosen?.id).not.toBe('a')
  })
})

describe('after a lookup that found nothing', () => {
  const lmcache = { matchedTokens: {}, chunkCounts: { a: 100, b: 90, c: 1 } }
  const backlog = { promptTokens: 4_096, cachedTokens: { a: 4_096 }, backlogTokens: { a: 50 }, prefillMsPerToken: 0.2 }

  test('who would begin first gets it, however full other caches are', () => {
    const fleet = [candidateOf('a', { inFlightHere: 1 }), candidateOf('b', { inFlightHere: 1 }), candidateOf('c')]
    const decision = choose({ fleet, lmcache })
    expect(told(decision)).toEqual(['c', 'policy', 'lmcache_aware'])
    expect(decision.candidates.map(({ parts }) => parts)).toEqual([
      { chunks: 100, queue_ms: 20, load: 1 },
      { chunks: 90, queue_ms: 20, load: 1 },
      { chunks: 1, queue_ms: 0, load: 0 },
    ])
    expect(decision.candidates.map(({ score }) => score)).toEqual([
      expect.closeTo(0.7 - 20),
      expect.closeTo(0.63 - 20),
      expect.closeTo(0.007),
    ])
  })

  test('what waits to be prefilled counts, not requests alone', () => {
    expect(choose({ lmcache, prefix: backlog }).chosen?.id).toBe('b')
  })

  test('of those that would begin as soon the fullest gets it', () => {
    for (let seed = 0; seed < 20; seed += 1) expect(choose({ lmcache }, seed).chosen?.id).toBe('a')
  })

  test.each([0, 1])('a cache_weight of %s leaves that as it is', (cache_weight) => {
    const fleet = [candidateOf('a', { inFlightHere: 1 }), candidateOf('b'), candidateOf('c', { inFlightHere: 1 })]
    expect(choose({ fleet, lmcache, options: { cache_weight } }).chosen?.id).toBe('b')
  })

  test('also of prompts that are too short to be looked up', () => {
    const fleet = [candidateOf('a', { inFlightHere: 3 }), candidateOf('b', { inFlightHere: 3 }), candidateOf('c')]
    expect(choose({ fleet, lmcache: { ...lmcache, matchedTokens: null, promptTokens: null } }).chosen?.id).toBe('c')
  })
})

describe('by occupancy', () => {
  const options = { lookup_mode: 'occupancy' }
  const lmcache = { chunkCounts: { a: 100, b: 50 } }

  test('the part of the fullest cache counts against idleness', () => {
    const fleet = [candidateOf('a', { inFlightHere: 4 }), candidateOf('b', { inFlightHere: 1 }), candidateOf('c')]
    const { candidates } = choose({ fleet, lmcache, options: { ...options, load_factor: 'off' } })
    expect(candidates.map(({ score }) => score)).toEqual([
      expect.closeTo(0.7),
      expect.closeTo(0.35 + 0.3 * 0.75),
      expect.closeTo(0.3),
    ])
    expect(candidates.map(({ parts }) => parts)).toEqual([
      { chunks: 100, load: 4 },
      { chunks: 50, load: 1 },
      { chunks: 0, load: 0 },
    ])
  })

  test('who has more than its part in flight is left out, with the score it would have had', () => {
    const fleet = [candidateOf('a', { inFlightHere: 4 }), candidateOf('b', { inFlightHere: 1 }), candidateOf('c')]
    const { chosen, candidates } = choose({ fleet, lmcache, options })
    expect(candidates[0]).toMatchObject({
      veto: 'over_load_bound',
      parts: { chunks: 100, load: 4, in_flight: 4, bound: 3 },
    })
    expect(candidates[0]?.score).toBeCloseTo(0.7)
    expect(candidates.map(({ veto }) => veto)).toEqual(['over_load_bound', null, null])
    expect(chosen?.id).toBe('b')
  })

  test('the fullest of an even fleet gets no more than the bound allows', () => {
    const inFlight = { a: 0, b: 0, c: 0 }
    for (let request = 0; request < 300; request += 1) {
      const fleet = FLEET.map(({ id }) => candidateOf(id, { inFlightHere: inFlight[id as keyof typeof inFlight] }))
      const { chosen } = choose({ fleet, lmcache: { chunkCounts: { a: 100, b: 50, c: 1 } }, options }, request)
      inFlight[chosen?.id as keyof typeof inFlight] += 1
    }
    expect(Math.max(...Object.values(inFlight))).toBeLessThanOrEqual(Math.ceil(1.1 * 100))
  })
})

describe('the fallback', () => {
  test.each(['power_of_two', 'PowerOfTwo', 'least_load', 'roundrobin'])('%s is found by its name', (name) => {
    expect(() => create({ fallback_policy: name })).not.toThrow()
  })

  test('brings what it needs with it', () => {
    expect(create({ fallback_policy: 'consistent_hash' }).needs).toMatchObject({ affinity: {}, lmcache: {} })
    expect(create({ fallback_policy: 'round_robin' }).needs).toMatchObject({ ticket: 'block' })
    const { prefix } = create({ fallback_policy: 'cache_aware', lookup_mode: 'prefix_lookup' }).needs
    expect(prefix).toHaveProperty('indexBytes')
  })

  test.each([
    ['fastest', /knows no fallback_policy "fastest"; policies: round_robin, /],
    ['lmcache_aware', /can not fall back on itself/],
  ])('%s is refused', (name, message) => expect(() => create({ fallback_policy: name })).toThrow(message))
})

describe('options', () => {
  const parse = (options: object) => lmcacheAware.options.safeParse(options)

  test('have the defaults of the Rust router', () => {
    expect(lmcacheAware.options.parse({})).toMatchObject({
      controller_url: 'http://localhost:9000',
      poll_interval_secs: 10,
      cache_weight: 0.7,
      fallback_policy: 'power_of_two',
      controller_timeout_ms: 2_000,
      lookup_mode: 'occupancy',
    })
  })

  test('say what is looked up, and where', () => {
    const { lmcache } = create({
      controller_url: 'https://lmcache.example/',
      controller_type: 'coordinator',
      controller_api_key: 'k',
      lookup_mode: 'prefix_lookup',
      lmcache_worker_map: { one: 'http://a:1', node: ['b', 'c'] },
    }).needs
    expect(lmcache).toMatchObject({
      controllerUrl: 'https://lmcache.example',
      controllerType: 'coordinator',
      controllerApiKey: new Secret('k'),
      workerMap: { one: ['http://a:1'], node: ['b', 'c'] },
      lookup: { minPromptTokens: 256, budgetMs: 100, maxTokens: 32_768 },
    })
    expect(create({}).needs.lmcache?.lookup).toBeNull()
  })

  test.each([
    { controller_url: 'lmcache:9000' },
    { controller_url: 'http://u:p@lmcache:9000' },
    { controller_url: 'http://lmcache:9000/?x=1' },
    { controller_api_key: '***' },
    { controller_api_key: 'a b' },
    { cache_weight: 1.5 },
    { lookup_mode: 'prefix' },
    { controller_type: 'new' },
    { lookup_budget_ms: 0 },
    { load_factor: 0.9 },
  ])('%j is refused', (options) => expect(parse(options).success).toBe(false))

  test('that do nothing give a warning', () => {
    const warnings = (options: object) => lmcacheAware.warnings?.(lmcacheAware.options.parse(options))
    expect(warnings({})).toEqual([])
    expect(warnings({ world_size: 8 })).toEqual([expect.stringContaining('`world_size`')])
    expect(warnings({ assume_chains: true })).toEqual([expect.stringContaining('`assume_chains`')])
    expect(warnings({ assume_chains: true, lookup_mode: 'prefix_lookup' })).toEqual([])
    expect(warnings({ load_factor: 'off' })).toEqual([expect.stringContaining('`load_factor: off`')])
  })
})
