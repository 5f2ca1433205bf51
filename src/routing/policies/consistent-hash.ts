// Consistent hash: the same session to the same worker, with the least movement when workers come and go, and a bound
// on load so that one hot session can't sink one worker.

import * as z from 'zod'
import { CandidateNames } from '../candidate-names.ts'
import { hashState } from '../hash.ts'
import { isOverBound, loadBounds, loadFactorOption, OVER_LOAD_BOUND } from '../load-bound.ts'
import { naturalLog } from '../natural-log.ts'
import { definePolicy, type Policy, type Verdict } from '../policy.ts'

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
  load_factor: loadFactorOption.default(1.25),
  /** Accepted from configurations of the Rust router; rendezvous hashing has no ring. */
  virtual_nodes: z.int().min(1).optional(),
})

type ConsistentHashOptions = z.output<typeof consistentHashOptions>

/**
 * Score: ln(place) / weight, the place in (0, 1) being a hash of key and candidate. It ranks as -weight / ln(place) of
 * weighted rendezvous hashing does (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005), and is the
 * score of `random`.
 */
export const consistentHash = definePolicy({
  name: 'consistent_hash',
  options: consistentHashOptions,
  create({ hash_headers: headers, load_factor }): Policy {
    return {
      name: 'consistent_hash',
      needs: { affinity: headers === undefined ? {} : { headers } },
      score: scorer(load_factor),
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

function scorer(loadFactor: ConsistentHashOptions['load_factor']): Policy['score'] {
  const names = new CandidateNames()
  return (input) => {
    const { candidates, loadAgeMs, affinity, random } = input
    // Without a key there is nothing to be true to: a key of the request's own spreads such requests evenly.
    const key = affinity === null ? { high: draw32(random), low: draw32(random) } : hashState(affinity.hash)
    const places = names.places(key, candidates)
    const bounds = loadFactor === 'off' ? null : loadBounds(candidates, loadAgeMs, loadFactor)
    return candidates.map(({ weight }, at): Verdict => {
      const score = naturalLog(places[at] ?? 0) / weight
      const parts = bounds?.[at]
      if (parts === undefined) return { score }
      return isOverBound(parts) ? { score, parts, veto: OVER_LOAD_BOUND } : { score, parts }
    })
  }
}

function draw32(random: () => number): number {
  return (random() * 0x1_0000_0000) | 0
}
