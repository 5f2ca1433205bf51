// Consistent hash: sessions stick, few keys move, weights hold, and a hot key sinks nobody.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import { decide } from '../decide.ts'
import { hash64 } from '../hash.ts'
import type { CandidateView } from '../policy.ts'
import { consistentHash } from './consistent-hash.ts'

policyConformance('consistent_hash', consistentHash, {}, { isOrderIndependent: true })
policyConformance('consistent_hash', consistentHash, { load_factor: 'off' }, { isOrderIndependent: true })
policyConformance('consistent_hash', consistentHash, { hash_headers: ['X-Team'], load_factor: 1, virtual_nodes: 160 })

const policy = consistentHash.create(consistentHash.options.parse({}))
const KEYS = 5_000

function homeOf(key: number, fleet: readonly CandidateView[], seed = 1): string {
  const affinity = { source: 'header:x-session-id', hash: hash64(`session-${key}`) }
  return decide(inputOf({ affinity }), { policy }, viewOf(fleet), seed).chosen?.id ?? 'none'
}

function homes(fleet: readonly CandidateView[]): string[] {
  return Array.from({ length: KEYS }, (_, key) => homeOf(key, fleet))
}

function fleetNamed(count: number): CandidateView[] {
  return Array.from({ length: count }, (_, at) => candidateOf(`http://10.0.0.${at}:8000`))
}

describe('sessions', () => {
  test('stay where they are, whatever the seed and the order', () => {
    const fleet = fleetNamed(7)
    expect(homeOf(1, fleet, 2)).toBe(homeOf(1, fleet, 3))
    expect(homeOf(1, fleet.toReversed())).toBe(homeOf(1, fleet))
  })

  test('are spread evenly, data-parallel ranks included', () => {
    const fleet = ['a', 'b'].flatMap((workerId) =>
      [0, 1, 2, 3].map((rank) => candidateOf(`${workerId}@${rank}`, { workerId, rank })),
    )
    const counts = tally(homes(fleet))
    expect(Object.keys(counts)).toHaveLength(8)
    for (const count of Object.values(counts)) expect(Math.abs(count - KEYS / 8)).toBeLessThan(130)
  })

  test('are shared out by weight', () => {
    const fleet = [
      candidateOf('a', { weight: 3 }),
      candidateOf('b', { weight: 1.5 }),
      candidateOf('c', { weight: 0.5 }),
    ]
    const counts = tally(homes(fleet))
    expect(Math.abs((counts['a'] ?? 0) - KEYS * 0.6)).toBeLessThan(180)
    expect(Math.abs((counts['c'] ?? 0) - KEYS * 0.1)).toBeLessThan(110)
  })

  test('without a key requests go anywhere', () => {
    const fleet = fleetNamed(4)
    const chosen = Array.from(
      { length: 4_000 },
      (_, seed) => decide(inputOf({ affinity: null }), { policy }, viewOf(fleet), seed).chosen?.id,
    )
    for (const count of Object.values(tally(chosen))) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })
})

describe('workers come and go', () => {
  test('only the keys of the one that leaves move, and they come back with it', () => {
    const property = fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (count, which) => {
      const fleet = fleetNamed(count)
      const gone = which % count
      const out = fleet.map((candidate, at) =>
        at === gone ? { ...candidate, availability: 'down' as const } : candidate,
      )
      const [before, during] = [homes(fleet), homes(out)]
      const goneId = fleet[gone]?.id
      before.forEach((home, key) =>
        home === goneId ? expect(during[key]).not.toBe(home) : expect(during[key]).toBe(home),
      )
      const moved = before.filter((home) => home === goneId).length
      expect(Math.abs(moved - KEYS / count)).toBeLessThan(5 * Math.sqrt(KEYS / count))
      expect(homes(fleet)).toEqual(before)
    })
    fc.assert(property, { numRuns: 12 })
  })

  test('a new one takes its share, from all alike, and nothing else moves', () => {
    const [before, after] = [homes(fleetNamed(9)), homes(fleetNamed(10))]
    const moved = after.filter((home, key) => home !== before[key])
    expect(new Set(moved)).toEqual(new Set(['http://10.0.0.9:8000']))
    expect(Math.abs(moved.length - KEYS / 10)).toBeLessThan(110)
  })

  test('a changed weight moves keys to or from that worker only', () => {
    const heavier = fleetNamed(5).map((candidate, at) => (at === 2 ? { ...candidate, weight: 2 } : candidate))
    const [before, after] = [homes(fleetNamed(5)), homes(heavier)]
    expect(new Set(after.filter((home, key) => home !== before[key]))).toEqual(new Set(['http://10.0.0.2:8000']))
  })
})

describe('the bound on load', () => {
  test('a hot key fills its home to the bound, then its next choices, and no worker beyond', () => {
    const inFlight = fleetNamed(5).map(() => 0)
    for (let total = 0; total < 500; total += 1) {
      const fleet = fleetNamed(5).map((candidate, at) => ({ ...candidate, inFlightHere: inFlight[at] ?? 0 }))
      const at = fleet.findIndex(({ id }) => id === homeOf(7, fleet))
      inFlight[at] = (inFlight[at] ?? 0) + 1
      expect(inFlight[at]).toBeLessThanOrEqual(Math.max(2, Math.ceil((1.25 * (total + 1)) / 5)))
    }
    expect(inFlight.toSorted((a, b) => b - a)).toEqual([125, 125, 125, 125, 0])
  })

  test('who is left out is shown with its score, its load and the bound', () => {
    const idle = fleetNamed(3)
    const home = homeOf(3, idle)
    const fleet = idle.map((candidate) => (candidate.id === home ? { ...candidate, inFlightElsewhere: 9 } : candidate))
    const affinity = { source: 'header:x-session-id', hash: hash64('session-3') }
    const { chosen, candidates } = decide(inputOf({ affinity }), { policy }, viewOf(fleet), 1)
    const left = candidates.find(({ id }) => id === home)
    expect(left).toMatchObject({ veto: 'over_load_bound', parts: { in_flight: 9, bound: 5 } })
    expect(left?.score).toBeGreaterThan(candidates.find(({ id }) => id === chosen?.id)?.score ?? 0)
  })

  test('a quiet fleet has none, and `off` turns it off', () => {
    const busy = fleetNamed(10).map((candidate) => ({ ...candidate, inFlightHere: 0 }))
    const homeAt = busy.findIndex(({ id }) => id === homeOf(5, busy))
    const one = busy.map((candidate, at) => ({ ...candidate, inFlightHere: at === homeAt ? 1 : 0 }))
    expect(homeOf(5, one)).toBe(homeOf(5, busy))
    const full = busy.map((candidate, at) => ({ ...candidate, inFlightHere: at === homeAt ? 1_000 : 0 }))
    const affinity = { source: 'header:x-session-id', hash: hash64('session-5') }
    const unbound = consistentHash.create(consistentHash.options.parse({ load_factor: 'off' }))
    expect(homeOf(5, full)).not.toBe(homeOf(5, busy))
    expect(decide(inputOf({ affinity }), { policy: unbound }, viewOf(full), 1).chosen?.id).toBe(homeOf(5, busy))
  })
})

describe('a part of its share', () => {
  test('moves no session of a quiet fleet', () => {
    const fleet = fleetNamed(5)
    const warming = fleet.map((candidate, at) => ({ ...candidate, share: at === 0 ? 0.1 : 1 }))
    expect(homes(warming)).toEqual(homes(fleet))
  })

  test('lowers the bound, so that what is beyond goes to the next choice', () => {
    const idle = fleetNamed(4)
    const home = homeOf(7, idle)
    const others = (inFlightHere: number, warming: number) =>
      idle.map((candidate) =>
        candidate.id === home ? { ...candidate, share: 0.25, inFlightHere: warming } : { ...candidate, inFlightHere },
      )
    expect(homeOf(7, others(0, 0))).toBe(home)
    expect(homeOf(7, others(0, 1))).not.toBe(home)
    // Its part of 26 in flight is 2, a quarter of what the others have, and the bound is above that.
    expect(homeOf(7, others(8, 2))).toBe(home)
    expect(homeOf(7, others(8, 3))).not.toBe(home)
  })
})

test('what came past our routers fills a worker as well', () => {
  const idle = fleetNamed(3)
  const home = homeOf(3, idle)
  const scrapeOf = (running: number) => ({ running, waiting: 0, kvUsage: null, ours: 0, ageMs: 0 })
  const fleet = idle.map((candidate) => ({ ...candidate, scraped: scrapeOf(candidate.id === home ? 9 : 0) }))
  expect(homeOf(3, fleet)).not.toBe(home)
})

test('whatever is in flight, wherever it came from, somebody is below the bound', () => {
  const counts = fc.record({
    weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
    share: fc.double({ min: 0.05, max: 1, noNaN: true }),
    inFlightHere: fc.nat(100),
    inFlightElsewhere: fc.nat(100),
    scraped: fc.option(
      fc.record({
        running: fc.nat(200),
        waiting: fc.nat(50),
        kvUsage: fc.constant(null),
        ours: fc.nat(200),
        ageMs: fc.nat(20_000),
      }),
    ),
  })
  const tight = consistentHash.create(consistentHash.options.parse({ load_factor: 1 }))
  const property = fc.property(fc.array(counts, { minLength: 1 }), fc.nat(20_000), fc.nat(), (fleet, ageMs, seed) => {
    const candidates = fleet.map((given, at) => candidateOf(`worker-${at}`, given))
    expect(decide(inputOf(), { policy: tight }, viewOf(candidates, ageMs), seed).chosen).not.toBeNull()
  })
  fc.assert(property)
})

describe('options', () => {
  test('headers are lower-cased and handed to the pipeline', () => {
    expect(policy.needs).toEqual({ affinity: {} })
    const { needs } = consistentHash.create(consistentHash.options.parse({ hash_headers: ['X-Team', 'x-user-id'] }))
    expect(needs).toEqual({ affinity: { headers: ['x-team', 'x-user-id'] } })
  })

  test.each([
    { load_factor: 0.9 },
    { load_factor: false },
    { hash_headers: [] },
    { hash_headers: ['a b'] },
    { virtual_nodes: 0 },
  ])('refused: %j', (options) => expect(consistentHash.options.safeParse(options).success).toBe(false))

  test('what has no effect, or defeats the policy, is said when the configuration loads', () => {
    const warningsFor = (options: object): readonly string[] =>
      consistentHash.warnings?.(consistentHash.options.parse(options)) ?? []
    expect(warningsFor({})).toEqual([])
    expect(warningsFor({ virtual_nodes: 160 })).toEqual([expect.stringContaining('`virtual_nodes` has no effect')])
    expect(warningsFor({ hash_headers: ['X-Request-Id'] })).toEqual([expect.stringContaining('`x-request-id`')])
  })
})
