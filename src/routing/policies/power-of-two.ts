// Power of two choices: draw two candidates, take the less loaded. Nearly as even as least load, and many routers that
// act on the same old news don't herd onto one worker (Mitzenmacher 2001).

import * as z from 'zod'
import { capacityOf, loadEstimator } from '../load.ts'
import { definePolicy, type CandidateView, type Policy, type PolicyInput, type Verdict } from '../policy.ts'

/** What the second one drawn loses at equal load, so that the first drawn wins and its capacity counts. */
const SECOND_AT_TIE = 1 / 0x10_0000

const UNSEEN: Verdict = Object.freeze({ score: null })

const powerOfTwoOptions = z.strictObject({
  /** Accepted from configurations of the Rust router; loads are counted, so nothing is polled. */
  load_check_interval_secs: z.int().min(0).optional(),
})

/** Score: minus the load of the two drawn; null for the others. Part `drawn` is 1 or 2. */
export const powerOfTwo = definePolicy({
  name: 'power_of_two',
  options: powerOfTwoOptions,
  create(): Policy {
    return { name: 'power_of_two', needs: {}, score: scoreTwo }
  },
  warnings({ load_check_interval_secs }) {
    if (load_check_interval_secs === undefined) return []
    return ['`load_check_interval_secs` has no effect: loads are counts of requests in flight, not polled. Remove it.']
  },
})

function scoreTwo({ candidates, loadAgeMs, random }: PolicyInput): Verdict[] {
  const loadOf = loadEstimator(candidates, loadAgeMs)
  const first = drawByCapacity(candidates, null, random)
  const second = candidates.length === 1 ? null : drawByCapacity(candidates, first, random)
  const firstLoad = loadOf(first).load
  return candidates.map((candidate) => {
    if (candidate !== first && candidate !== second) return UNSEEN
    const load = loadOf(candidate)
    const isBehind = candidate === second && load.load === firstLoad
    return {
      score: isBehind ? 0 - load.load - SECOND_AT_TIE : 0 - load.load,
      parts: { ...load, drawn: candidate === first ? 1 : 2 },
    }
  })
}

/** Draws one candidate other than `except`, as often as its capacity says. */
function drawByCapacity(
  candidates: readonly CandidateView[],
  except: CandidateView | null,
  random: () => number,
): CandidateView {
  let total = 0
  for (const candidate of candidates) if (candidate !== except) total += capacityOf(candidate)
  let left = random() * total
  let last: CandidateView | null = null
  for (const candidate of candidates) {
    if (candidate === except) continue
    last = candidate
    left -= capacityOf(candidate)
    if (left < 0) break
  }
  if (last === null) throw new RangeError('no candidate to draw from')
  return last
}
