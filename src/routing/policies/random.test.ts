// Random: as often as the weights say, whatever else is true of a candidate.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { candidateOf, inputOf, policyConformance, viewOf } from '../../../test/conformance/policy.ts'
import { decide } from '../decide.ts'
import { random } from './random.ts'

policyConformance('random', random)

const policy = random.create({})

test('each candidate as often as its weight says', () => {
  const draws = 20_000
  const weightLists = fc.array(fc.double({ min: 0.5, max: 8, noNaN: true }), { minLength: 2, maxLength: 6 })
  const property = fc.property(weightLists, fc.nat(0xffff), (weights, first) => {
    const fleet = weights.map((weight, at) => candidateOf(`worker-${at}`, { weight, inFlightHere: at * 10 }))
    const counts = new Map(fleet.map(({ id }) => [id, 0]))
    for (let seed = first; seed < first + draws; seed += 1) {
      const id = decide(inputOf(), { policy }, viewOf(fleet), seed).chosen?.id ?? 'none'
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (const { id, weight } of fleet) {
      const expected = (draws * weight) / total
      // Five standard deviations: once in a million.
      const deviation = Math.sqrt(expected * (1 - weight / total))
      expect(Math.abs((counts.get(id) ?? 0) - expected)).toBeLessThan(5 * deviation)
    }
  })
  fc.assert(property, { numRuns: 10 })
})
