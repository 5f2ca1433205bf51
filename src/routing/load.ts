// How loaded a candidate is, for every policy that asks: what is in flight, per unit of weight.
// Old news about other routers' requests fades into the fleet's average: unknown is never zero.

import type { CandidateView } from './policy.ts'

/** Up to this age, in milliseconds, what others have in flight is taken as it is. */
export const LOAD_TRUSTED_MS = 2_000
/** From this age on, in milliseconds, it says nothing about one candidate any more. */
export const LOAD_FORGOTTEN_MS = 10_000

/** The load of one candidate in the words that explanations use. */
export interface LoadParts extends Readonly<Record<string, number>> {
  /** Requests this router has in flight on it: exact. */
  readonly in_flight_here: number
  /** Requests of others, as estimated at the age of the news. */
  readonly in_flight_elsewhere: number
  /** Both, per unit of weight. */
  readonly load: number
}

/** How much of a count that old still holds: 1 up to two seconds, 0 from ten, a straight line between. */
export function trustAtAge(ageMs: number): number {
  if (ageMs <= LOAD_TRUSTED_MS) return 1
  // Written so that an age that is no number counts as forgotten.
  if (!(ageMs < LOAD_FORGOTTEN_MS)) return 0
  return (LOAD_FORGOTTEN_MS - ageMs) / (LOAD_FORGOTTEN_MS - LOAD_TRUSTED_MS)
}

/**
 * Estimates what others have in flight, given all `candidates` and the age of the news. What is no longer trusted is
 * replaced by the candidate's share, by weight, of everything elsewhere, so that the sum stays what it was.
 */
export function elsewhereEstimator(candidates: readonly CandidateView[], ageMs: number): (of: CandidateView) => number {
  const trust = trustAtAge(ageMs)
  // The count itself, not a sum that may differ from it in the last bit.
  if (trust === 1) return (candidate) => candidate.inFlightElsewhere
  let elsewhere = 0
  let weights = 0
  for (const candidate of candidates) {
    elsewhere += candidate.inFlightElsewhere
    weights += candidate.weight
  }
  const untrustedPerWeight = ((1 - trust) * elsewhere) / weights
  return ({ inFlightElsewhere, weight }) => trust * inFlightElsewhere + untrustedPerWeight * weight
}

/** Estimates the load of each of `candidates` at the age of the news. */
export function loadEstimator(candidates: readonly CandidateView[], ageMs: number): (of: CandidateView) => LoadParts {
  const elsewhereOf = elsewhereEstimator(candidates, ageMs)
  return (candidate) => {
    const { inFlightHere, weight } = candidate
    const elsewhere = elsewhereOf(candidate)
    return { in_flight_here: inFlightHere, in_flight_elsewhere: elsewhere, load: (inFlightHere + elsewhere) / weight }
  }
}
