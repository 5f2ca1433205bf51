// How loaded a candidate is, for every policy that asks: what is in flight, per unit of capacity. Our own requests are
// counted, those that came past us are what the worker's metrics show on top. Old news fades into the fleet's average:
// unknown is never zero.

import type { CandidateView, ScrapedLoad } from './policy.ts'

/** Up to this age, in milliseconds, what others have in flight is taken as it is. */
export const LOAD_TRUSTED_MS = 2_000
/** From this age on, in milliseconds, it says nothing about one candidate any more. */
export const LOAD_FORGOTTEN_MS = 10_000

/** The load of one candidate in the words that explanations use. */
export interface LoadParts extends Readonly<Record<string, number>> {
  /** Requests this router has in flight on it: exact. */
  readonly in_flight_here: number
  /** Requests of other routers of this fleet, as estimated at the age of the news. */
  readonly in_flight_elsewhere: number
  /** All of it, per unit of capacity. */
  readonly load: number
}

/** What a candidate can take relative to others: its weight, as far as it should get its usual work. */
export function capacityOf({ weight, share }: CandidateView): number {
  return weight * share
}

/** How much of a count that old still holds: 1 up to two seconds, 0 from ten, a straight line between. */
export function trustAtAge(ageMs: number): number {
  if (ageMs <= LOAD_TRUSTED_MS) return 1
  // Written so that an age that is no number counts as forgotten.
  if (!(ageMs < LOAD_FORGOTTEN_MS)) return 0
  return (LOAD_FORGOTTEN_MS - ageMs) / (LOAD_FORGOTTEN_MS - LOAD_TRUSTED_MS)
}

/**
 * Estimates the load of each of `candidates`, given the age of the news. Two parts are there only where they say something:
 * `in_flight_outside`, the requests that came past this fleet's routers, once any worker serves metrics; `share` below 1.
 */
export function loadEstimator(candidates: readonly CandidateView[], ageMs: number): (of: CandidateView) => LoadParts {
  const elsewhereOf = elsewhereEstimator(candidates, ageMs)
  const outsideOf = outsideEstimator(candidates, ageMs)
  return (candidate) => {
    const { inFlightHere, share } = candidate
    const elsewhere = elsewhereOf(candidate)
    const outside = outsideOf === null ? 0 : outsideOf(candidate)
    // What it should not get counts as work it has: without it, one that asked for less would look idle on an idle fleet.
    const load = (inFlightHere + elsewhere + outside + (1 - share)) / capacityOf(candidate)
    return toParts({ here: inFlightHere, elsewhere, outside: outsideOf === null ? null : outside, share, load })
  }
}

interface LoadCounts {
  readonly here: number
  readonly elsewhere: number
  readonly outside: number | null
  readonly share: number
  readonly load: number
}

/** Each of its forms written out: this runs for every candidate of every decision, and a spread takes twice as long. */
function toParts({ here, elsewhere, outside, share, load }: LoadCounts): LoadParts {
  if (outside === null) {
    if (share === 1) return { in_flight_here: here, in_flight_elsewhere: elsewhere, load }
    return { in_flight_here: here, in_flight_elsewhere: elsewhere, share, load }
  }
  if (share === 1) return { in_flight_here: here, in_flight_elsewhere: elsewhere, in_flight_outside: outside, load }
  return { in_flight_here: here, in_flight_elsewhere: elsewhere, in_flight_outside: outside, share, load }
}

/** Estimates everything in flight on each of `candidates`: here, on other routers, and past them. */
export function inFlightEstimator(candidates: readonly CandidateView[], ageMs: number): (of: CandidateView) => number {
  const elsewhereOf = elsewhereEstimator(candidates, ageMs)
  const outsideOf = outsideEstimator(candidates, ageMs)
  if (outsideOf === null) return (candidate) => candidate.inFlightHere + elsewhereOf(candidate)
  return (candidate) => candidate.inFlightHere + elsewhereOf(candidate) + outsideOf(candidate)
}

/**
 * Estimates what other routers have in flight. What is no longer trusted is replaced by the candidate's share, by
 * capacity, of everything elsewhere, so that the sum stays what it was.
 */
function elsewhereEstimator(candidates: readonly CandidateView[], ageMs: number): (of: CandidateView) => number {
  const trust = trustAtAge(ageMs)
  // The count itself, not a sum that may differ from it in the last bit.
  if (trust === 1) return (candidate) => candidate.inFlightElsewhere
  let elsewhere = 0
  let capacity = 0
  for (const candidate of candidates) {
    elsewhere += candidate.inFlightElsewhere
    capacity += capacityOf(candidate)
  }
  const untrusted = ((1 - trust) * elsewhere) / capacity
  return (candidate) => trust * candidate.inFlightElsewhere + untrusted * capacityOf(candidate)
}

/**
 * Estimates what came past the routers. A worker that says nothing, or said it long ago, is taken to have its part, by
 * capacity, of what the others have. Null when no worker says anything.
 */
function outsideEstimator(candidates: readonly CandidateView[], ageMs: number): ((of: CandidateView) => number) | null {
  if (!candidates.some(({ scraped }) => scraped !== null)) return null
  const engineOf = engineFinder(candidates)
  let outside = 0
  let capacity = 0
  for (const candidate of candidates) {
    if (candidate.scraped === null) continue
    outside += beyondOurs(candidate.scraped, engineOf(candidate))
    capacity += capacityOf(candidate)
  }
  return (candidate) => {
    const average = (outside / capacity) * capacityOf(candidate)
    const { scraped } = candidate
    if (scraped === null) return average
    const trust = trustAtAge(scraped.ageMs + ageMs)
    const own = beyondOurs(scraped, engineOf(candidate))
    return trust === 1 ? own : trust * own + (1 - trust) * average
  }
}

/** The worker behind candidates: metrics are of all its ranks together. */
interface Engine {
  readonly ranks: number
  /** Our requests on any of them, as far as known now. */
  readonly inFlight: number
}

/**
 * One rank's part of the requests that a worker counts beyond ours. Ours are as many as were known when it was read, or are
 * known now: counts of ours come late as well, and what is missing from either must not be taken for somebody else's.
 */
function beyondOurs({ running, waiting, ours }: ScrapedLoad, { ranks, inFlight }: Engine): number {
  return Math.max(0, running + waiting - Math.max(ours, inFlight)) / ranks
}

function engineFinder(candidates: readonly CandidateView[]): (of: CandidateView) => Engine {
  const inFlightOn = ({ inFlightHere, inFlightElsewhere }: CandidateView) => inFlightHere + inFlightElsewhere
  if (candidates.every(({ rank }) => rank === null)) {
    return (candidate) => ({ ranks: 1, inFlight: inFlightOn(candidate) })
  }
  const engines = new Map<string, { ranks: number; inFlight: number }>()
  for (const candidate of candidates) {
    const engine = engines.get(candidate.workerId) ?? { ranks: 0, inFlight: 0 }
    engine.ranks += 1
    engine.inFlight += inFlightOn(candidate)
    engines.set(candidate.workerId, engine)
  }
  return ({ workerId }) => engines.get(workerId) ?? { ranks: 1, inFlight: 0 }
}
