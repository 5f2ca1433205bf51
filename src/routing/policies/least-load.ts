// Least load: the candidate with the fewest requests in flight for its weight.
// With many routers and old news all of them pick the same one; `power_of_two` herds less.

import * as z from 'zod'
import { loadEstimator } from '../load.ts'
import { definePolicy, type Policy } from '../policy.ts'

/** Score: minus the load (requests in flight per unit of capacity). */
export const leastLoad = definePolicy({
  name: 'least_load',
  options: z.strictObject({}),
  create(): Policy {
    return {
      name: 'least_load',
      needs: {},
      score({ candidates, loadAgeMs }) {
        const loadOf = loadEstimator(candidates, loadAgeMs)
        return candidates.map((candidate) => {
          const parts = loadOf(candidate)
          return { score: 0 - parts.load, parts }
        })
      },
    }
  },
})
