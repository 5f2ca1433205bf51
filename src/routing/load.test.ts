// Old news fades into the average, and never into zero.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { candidateOf } from '../../test/conformance/policy.ts'
import { loadEstimator, trustAtAge } from './load.ts'

const busy = candidateOf('busy', { inFlightHere: 1, inFlightElsewhere: 30 })
const idle = candidateOf('idle', { inFlightHere: 3, inFlightElsewhere: 0 })
const large = candidateOf('large', { inFlightElsewhere: 10, weight: 2 })

test('full trust up to two seconds, none from ten, a straight line between', () => {
  expect([0, 2_000, 4_000, 6_000, 10_000, 1e9, Number.NaN].map(trustAtAge)).toEqual([1, 1, 0.75, 0.5, 0, 0, 0])
})

test('fresh counts are taken as they are', () => {
  expect(loadEstimator([busy, idle], 2_000)(busy)).toEqual({ in_flight_here: 1, in_flight_elsewhere: 30, load: 31 })
})

test('half-old counts are half the average', () => {
  expect(loadEstimator([busy, idle], 6_000)(idle)).toEqual({ in_flight_here: 3, in_flight_elsewhere: 7.5, load: 10.5 })
})

test('forgotten counts are the share by weight of all that is elsewhere', () => {
  const loadOf = loadEstimator([busy, idle, large], 60_000)
  expect([busy, idle, large].map((candidate) => loadOf(candidate).in_flight_elsewhere)).toEqual([10, 10, 20])
  expect(loadOf(large).load).toBe(10)
})

test('whatever the age, the sum over the candidates stays what it was', () => {
  const fields = fc.record({ weight: fc.double({ min: 0.1, max: 10, noNaN: true }), inFlightElsewhere: fc.nat(1_000) })
  const property = fc.property(fc.array(fields, { minLength: 1 }), fc.nat(20_000), (fleet, ageMs) => {
    const candidates = fleet.map((given, at) => candidateOf(`worker-${at}`, given))
    const loadOf = loadEstimator(candidates, ageMs)
    const estimated = candidates.reduce((sum, candidate) => sum + loadOf(candidate).in_flight_elsewhere, 0)
    expect(estimated).toBeCloseTo(
      fleet.reduce((sum, { inFlightElsewhere }) => sum + inFlightElsewhere, 0),
      6,
    )
  })
  fc.assert(property)
})
