// How much a candidate may have in flight before others come first: a bound above the average, for policies that would
// otherwise send everything to one. That of "Consistent hashing with bounded loads" (Mirrokni, Thorup, Zadimoghaddam, 2016).

import * as z from 'zod'
import { capacityOf, inFlightEstimator } from './load.ts'
import type { CandidateView } from './policy.ts'

/** Veto of a candidate that has as much in flight as the bound allows. */
export const OVER_LOAD_BOUND = 'over_load_bound'

/** How far above its share of the requests in flight a worker may go; `off` for no bound. */
export const loadFactorOption = z.union([z.literal('off'), z.number().min(1)])

/** Below this many requests in flight nobody that gets its usual work is overloaded, whatever the average says. */
const SMALLEST_BOUND = 2

/** In the words that explanations use. */
export interface BoundedLoad extends Readonly<Record<string, number>> {
  readonly in_flight: number
  readonly bound: number
}

export function isOverBound({ in_flight: inFlight, bound }: BoundedLoad): boolean {
  return inFlight >= bound
}

/** What each of `candidates` has in flight, and may have, given the age of the news. Never all of them are over. */
export function loadBounds(
  candidates: readonly CandidateView[],
  loadAgeMs: number,
  loadFactor: number,
): readonly BoundedLoad[] {
  const inFlightOn = inFlightEstimator(candidates, loadAgeMs)
  let total = 0
  let capacity = 0
  for (const candidate of candidates) {
    total += inFlightOn(candidate)
    capacity += capacityOf(candidate)
  }
  return candidates.map((candidate) => {
    const fair = (loadFactor * (total + 1) * capacityOf(candidate)) / capacity
    // The bounds add up to more than is in flight, this request included, so they never rule everybody out.
    const bound = Math.ceil(Math.max(SMALLEST_BOUND * candidate.share, fair))
    return { in_flight: inFlightOn(candidate), bound }
  })
}
