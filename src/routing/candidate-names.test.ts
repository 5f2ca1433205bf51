// Places of candidates come out as those of `rendezvousPlace`, whatever was asked for before.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CandidateNames } from './candidate-names.ts'
import { hashState, rendezvousPlace } from './hash.ts'

test('are the same to the bit, for one fleet after another', () => {
  const ids = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 8 })
  fc.assert(
    fc.property(fc.array(fc.record({ begin: fc.string(), ids, key: fc.string() })), (fleets) => {
      const names = new CandidateNames()
      for (const { begin, ids: ends, key } of fleets) {
        const candidates = ends.map((end) => ({ id: begin + end }))
        const state = hashState(key)
        const expected = candidates.map(({ id }) => rendezvousPlace(state, id))
        expect(names.places(state, candidates)).toEqual(expected)
        expect(names.places(state, candidates)).toEqual(expected)
      }
    }),
  )
})
