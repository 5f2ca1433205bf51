// Random: each candidate as often as its weight and its share of the usual work say, with no regard to anything else.
// The seed of the request draws, so that a recorded decision can be drawn again.

import * as z from 'zod'
import { capacityOf } from '../load.ts'
import { naturalLog } from '../natural-log.ts'
import { definePolicy, type Policy } from '../policy.ts'

/**
 * Score: ln(u) / (weight × share) with u drawn per candidate. The largest wins with a probability proportional to that (an
 * exponential race: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
 */
export const random = definePolicy({
  name: 'random',
  options: z.strictObject({}),
  create(): Policy {
    return {
      name: 'random',
      needs: {},
      score({ candidates, random: draw }) {
        return candidates.map((candidate) => {
          const { weight, share } = candidate
          const score = naturalLog(1 - draw()) / capacityOf(candidate)
          return { score, parts: share === 1 ? { weight } : { weight, share } }
        })
      },
    }
  },
})
