// Power of two: two are looked at, the less loaded wins, and the draw follows the weights.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import { decide, type Decision } from '../decide.ts'
import type { CandidateView } from '../policy.ts'
import { powerOfTwo } from './power-of-two.ts'

policyConformance('power_of_two', powerOfTwo)
policyConformance('power_of_two', powerOfTwo, { load_check_interval_secs: 10 })

const policy = powerOfTwo.create({})

function choose(fleet: readonly CandidateView[], seed: number, ageMs = 0): Decision {
  return decide(inputOf(), { policy }, viewOf(fleet, ageMs), seed)
}

function countChoices(fleet: readonly CandidateView[], draws: number): Record<string, number> {
  return tally(Array.from({ length: draws }, (_, seed) => choose(fleet, seed).chosen?.id))
}

test('two different candidates are looked at, and the less loaded is chosen', () => {
  const loads = fc.array(fc.record({ inFlightHere: fc.nat(50), inFlightElsewhere: fc.nat(50) }), { minLength: 2 })
  const property = fc.property(loads, fc.nat(), (given, seed) => {
    const { chosen, candidates } = choose(
      given.map((load, at) => candidateOf(`worker-${at}`, load)),
      seed,
    )
    const drawn = candidates.filter(({ score }) => score !== null)
    expect(drawn.map(({ parts }) => parts['drawn']).toSorted()).toEqual([1, 2])
    const winner = drawn.find(({ id }) => id === chosen?.id)
    for (const { parts } of drawn) expect(winner?.parts['load']).toBeLessThanOrEqual(parts['load'] ?? Number.NaN)
  })
  fc.assert(property)
})

describe('at equal load', () => {
  test('the first one drawn wins', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const { chosen, candidates } = choose(
        ['a', 'b', 'c'].map((id) => candidateOf(id)),
        seed,
      )
      expect(candidates.find(({ id }) => id === chosen?.id)?.parts['drawn']).toBe(1)
    }
  })

  test('so an idle fleet is used as its weights say', () => {
    const fleet = [candidateOf('a', { weight: 3 }), candidateOf('b'), candidateOf('c')]
    const counts = countChoices(fleet, 50_000)
    expect(Math.abs((counts['a'] ?? 0) - 30_000)).toBeLessThan(500)
    expect(Math.abs((counts['b'] ?? 0) - 10_000)).toBeLessThan(450)
  })
})

test('one candidate is taken without a draw against itself', () => {
  const { chosen, candidates } = choose([candidateOf('only', { inFlightHere: 9 })], 1)
  expect(chosen?.id).toBe('only')
  expect(candidates[0]).toMatchObject({ score: -9, parts: { drawn: 1 } })
})

test('the most loaded of the fleet is never chosen, and the least loaded no more than two draws allow', () => {
  const fleet = [0, 1, 2, 3].map((inFlightHere) => candidateOf(`worker-${inFlightHere}`, { inFlightHere }))
  const counts = countChoices(fleet, 60_000)
  // Of the six pairs three hold worker 0, two more hold worker 1, one more worker 2.
  expect(counts['worker-3']).toBeUndefined()
  expect(Math.abs((counts['worker-0'] ?? 0) - 30_000)).toBeLessThan(650)
  expect(Math.abs((counts['worker-2'] ?? 0) - 10_000)).toBeLessThan(500)
})

test('forgotten news decides nothing', () => {
  const fleet = [candidateOf('a', { inFlightElsewhere: 50, inFlightHere: 1 }), candidateOf('b', { inFlightHere: 2 })]
  for (let seed = 0; seed < 50; seed += 1) {
    expect(choose(fleet, seed).chosen?.id).toBe('b')
    expect(choose(fleet, seed, 10_000).chosen?.id).toBe('a')
  }
})

test('the key of the Rust router loads, and says that it does nothing', () => {
  expect(powerOfTwo.warnings?.({ load_check_interval_secs: 10 })).toEqual([expect.stringContaining('has no effect')])
  expect(powerOfTwo.warnings?.({})).toEqual([])
})

test('a part of its share makes a candidate rarer in the draw and heavier in the comparison', () => {
  const fleet = [candidateOf('a', { share: 0.5 }), candidateOf('b'), candidateOf('c')]
  const drawnFirst = tally(
    Array.from(
      { length: 20_000 },
      (_, seed) => choose(fleet, seed).candidates.find(({ parts }) => parts['drawn'] === 1)?.id,
    ),
  )
  expect(Math.abs((drawnFirst['a'] ?? 0) - 4_000)).toBeLessThan(300)
  // At equal load it loses, first drawn or not.
  expect(countChoices(fleet, 2_000)['a']).toBeUndefined()
})

test('what came past our routers counts', () => {
  const scraped = { running: 9, waiting: 0, kvUsage: null, ours: 0, ageMs: 0 }
  const fleet = [
    candidateOf('a', { scraped }),
    candidateOf('b', { inFlightHere: 2, scraped: { ...scraped, running: 2, ours: 2 } }),
  ]
  expect(Object.keys(countChoices(fleet, 100))).toEqual(['b'])
})
