// Consistent hash: the same session to the same worker, with the least movement when workers come and go, and a bound
// on load so that one hot session can't sink one worker.

import * as z from 'zod'
import { hashState, rendezvousPlace } from '../hash.ts'
import { capacityOf, inFlightEstimator } from '../load.ts'
import { naturalLog } from '../natural-log.ts'
import { definePolicy, type CandidateView, type Policy, type PolicyInput, type Verdict } from '../policy.ts'

/** Veto of a candidate that has as much in flight as the bound allows. */
export const OVER_LOAD_BOUND = 'over_load_bound'

/** Below this many requests in flight nobody that gets its usual work is overloaded, whatever the average says. */
const SMALLEST_BOUND = 2

/** Header names that differ for each request, and so defeat what this policy is for. */
const PER_REQUEST_HEADERS: readonly string[] = ['x-request-id', 'x-trace-id', 'traceparent']

const consistentHashOptions = z.strictObject({
  /** Headers the session's key may come from, best first, instead of the default list. */
  hash_headers: z
    .array(
      z
        .string()
        .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'must be the name of an HTTP header')
        .toLowerCase(),
    )
    .min(1)
    .optional(),
  /** How far above its share of the requests in flight a worker may go; `off` for no bound. */
  load_factor: z.union([z.literal('off'), z.number().min(1)]).default(1.25),
  /** Accepted from configurations of the Rust router; rendezvous hashing has no ring. */
  virtual_nodes: z.int().min(1).optional(),
})

type ConsistentHashOptions = z.output<typeof consistentHashOptions>

/**
 * Score: ln(place) / weight, the place in (0, 1) being a hash of key and candidate. It ranks as -weight / ln(place) of
 * weighted rendezvous hashing does (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005), and is the
 * score of `random`. The bound is that of "Consistent hashing with bounded loads" (Mirrokni, Thorup, Zadimoghaddam, 2016).
 */
export const consistentHash = definePolicy({
  name: 'consistent_hash',
  options: consistentHashOptions,
  create({ hash_headers: headers, load_factor }): Policy {
    return {
      name: 'consistent_hash',
      needs: { affinity: headers === undefined ? {} : { headers } },
      score: load_factor === 'off' ? scorePlaces : (input) => scoreBounded(input, load_factor),
    }
  },
  warnings: warningsFor,
})

function warningsFor({ hash_headers = [], virtual_nodes }: ConsistentHashOptions): string[] {
  const warnings = hash_headers
    .filter((name) => PER_REQUEST_HEADERS.includes(name))
    .map((name) => `\`hash_headers\` lists \`${name}\`, which differs for each request: sessions won't stick.`)
  if (virtual_nodes !== undefined) {
    warnings.push('`virtual_nodes` has no effect: rendezvous hashing spreads keys evenly without a ring. Remove it.')
  }
  return warnings
}

function scorePlaces(input: PolicyInput): Verdict[] {
  const scoreOf = placeScorer(input)
  return input.candidates.map((candidate) => ({ score: scoreOf(candidate) }))
}

function scoreBounded(input: PolicyInput, loadFactor: number): Verdict[] {
  const { candidates, loadAgeMs } = input
  const scoreOf = placeScorer(input)
  const inFlightOn = inFlightEstimator(candidates, loadAgeMs)
  let total = 0
  let capacity = 0
  for (const candidate of candidates) {
    total += inFlightOn(candidate)
    capacity += capacityOf(candidate)
  }
  return candidates.map((candidate) => {
    const inFlight = inFlightOn(candidate)
    const fair = (loadFactor * (total + 1) * capacityOf(candidate)) / capacity
    // The bounds add up to more than is in flight, this request included, so they never rule everybody out.
    const bound = Math.ceil(Math.max(SMALLEST_BOUND * candidate.share, fair))
    const score = scoreOf(candidate)
    const parts = { in_flight: inFlight, bound }
    return inFlight >= bound ? { score, parts, veto: OVER_LOAD_BOUND } : { score, parts }
  })
}

function placeScorer({ affinity, random }: PolicyInput): (candidate: CandidateView) => number {
  // Without a key there is nothing to be true to: a key of the request's own spreads such requests evenly.
  const key = affinity === null ? { high: draw32(random), low: draw32(random) } : hashState(affinity.hash)
  return ({ id, weight }) => naturalLog(rendezvousPlace(key, id)) / weight
}

function draw32(random: () => number): number {
  return (random() * 0x1_0000_0000) | 0
}
