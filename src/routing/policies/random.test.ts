// Random: as often as the weights say, whatever else is true of a candidate.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, tally, viewOf } from '../../../test/conformance/policy.ts'
import { decide, type Decision } from '../decide.ts'
import { random } from './random.ts'

policyConformance('random', random)

const policy = random.create({})

test('each candidate as often as its weight says', () => {
  const draws = 20_000
  const weightLists = fc.array(fc.double({ min: 0.5, max: 8, noNaN: true }), { minLength: 2, maxLength: 6 })
  const property = fc.property(weightLists, fc.nat(0xffff), (weights, first) => {
    const fleet = weights.map((weight, at) => candidateOf(`worker-${at}`, { weight, inFlightHere: at * 10 }))
    const choose = (seed: number): Decision => decide(inputOf(), { policy }, viewOf(fleet), seed)
    const counts = tally(Array.from({ length: draws }, (_, at) => choose(first + at).chosen?.id))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (const { id, weight } of fleet) {
      const expected = (draws * weight) / total
      // Five standard deviations: once in a million.
      const deviation = Math.sqrt(expected * (1 - weight / total))
      expect(Math.abs((counts[id] ?? 0) - expected)).toBeLessThan(5 * deviation)
    }
  })
  fc.assert(property, { numRuns: 10 })
})

test('a part of its share is a part of its weight, and shown', () => {
  const fleet = [candidateOf('a', { share: 0.25 }), candidateOf('b')]
  const choose = (seed: number): Decision => decide(inputOf(), { policy }, viewOf(fleet), seed)
  const counts = tally(Array.from({ length: 20_000 }, (_, seed) => choose(seed).chosen?.id))
  expect(Math.abs((counts['a'] ?? 0) - 4_000)).toBeLessThan(300)
  expect(choose(1).candidates.map(({ parts }) => parts)).toEqual([{ weight: 1, share: 0.25 }, { weight: 1 }])
})
