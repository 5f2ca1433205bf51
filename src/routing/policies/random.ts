// Random: each candidate as often as its weight says, with no regard to anything else.
// The seed of the request draws, so that a recorded decision can be drawn again.

import * as z from 'zod'
import { naturalLog } from '../natural-log.ts'
import { definePolicy, type Policy } from '../policy.ts'

/**
 * Score: ln(u) / weight with u drawn per candidate. The largest wins with a probability proportional to its weight (an
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
        return candidates.map(({ weight }) => ({ score: naturalLog(1 - draw()) / weight, parts: { weight } }))
      },
    }
  },
})
