// Least load: fewest in flight for its weight, by counts as old as they are.

import { expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import { decide, type Decision } from '../decide.ts'
import type { CandidateView } from '../policy.ts'
import { leastLoad } from './least-load.ts'

policyConformance('least_load', leastLoad)

const policy = leastLoad.create({})

function choose(fleet: readonly CandidateView[], ageMs = 0, seed = 1): Decision {
  return decide(inputOf(), { policy }, viewOf(fleet, ageMs), seed)
}

test('requests here and elsewhere count alike, per unit of weight', () => {
  const fleet = [
    candidateOf('here', { inFlightHere: 4 }),
    candidateOf('elsewhere', { inFlightElsewhere: 3 }),
    candidateOf('large', { inFlightHere: 2, inFlightElsewhere: 3, weight: 2 }),
  ]
  const { chosen, candidates } = choose(fleet)
  expect(chosen?.id).toBe('large')
  expect(candidates.map(({ score }) => score)).toEqual([-4, -3, -2.5])
  expect(candidates[2]?.parts).toEqual({ in_flight_here: 2, in_flight_elsewhere: 3, load: 2.5 })
})

test('old news of an idle worker does not draw everybody to it', () => {
  const fleet = [candidateOf('was busy', { inFlightElsewhere: 20 }), candidateOf('was idle', { inFlightHere: 1 })]
  expect(choose(fleet, 1_000).chosen?.id).toBe('was idle')
  // Nothing is known any more but what this router has in flight itself.
  expect(choose(fleet, 10_000).chosen?.id).toBe('was busy')
})

test('an idle fleet is used evenly', () => {
  const fleet = ['a', 'b', 'c', 'd'].map((id) => candidateOf(id))
  const counts = Object.values(tally(Array.from({ length: 40_000 }, (_, seed) => choose(fleet, 0, seed).chosen?.id)))
  expect(counts).toHaveLength(4)
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(450)
})

test('requests that stay keep the fleet level', () => {
  const inFlight = new Map([
    ['a', 0],
    ['b', 0],
    ['c', 0],
  ])
  for (let seed = 0; seed < 99; seed += 1) {
    const id = choose(
      [...inFlight].map(([name, inFlightHere]) => candidateOf(name, { inFlightHere })),
      0,
      seed,
    ).chosen?.id
    inFlight.set(id ?? 'none', (inFlight.get(id ?? 'none') ?? 0) + 1)
  }
  expect([...inFlight.values()]).toEqual([33, 33, 33])
})

test('a worker that others keep busy is left alone, as its metrics say', () => {
  const scraped = { running: 6, waiting: 2, kvUsage: 0.5, ours: 1, ageMs: 500 }
  const fleet = [
    candidateOf('a', { scraped, inFlightHere: 1 }),
    candidateOf('b', { inFlightHere: 4, scraped: { ...scraped, ours: 8 } }),
  ]
  const { chosen, candidates } = choose(fleet)
  expect(chosen?.id).toBe('b')
  expect(candidates[0]?.parts).toEqual({ in_flight_here: 1, in_flight_elsewhere: 0, in_flight_outside: 7, load: 8 })
})

test('a worker with a part of its share is left alone while others are idle, and gets its part under load', () => {
  const fleet = (inFlightHere: number, warming: number) => [
    candidateOf('warming', { share: 0.25, inFlightHere: warming }),
    candidateOf('a', { inFlightHere }),
    candidateOf('b', { inFlightHere }),
  ]
  for (let seed = 0; seed < 50; seed += 1) expect(choose(fleet(0, 0), 0, seed).chosen?.id).not.toBe('warming')
  expect(choose(fleet(8, 1)).chosen?.id).toBe('warming')
  expect(choose(fleet(8, 2)).chosen?.id).not.toBe('warming')
})
