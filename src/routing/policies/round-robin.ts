// Round robin: everybody in turn, by a count that the whole fleet of routers shares.
// The policy keeps no counter of its own; the turn is the request's ticket.

import * as z from 'zod'
import { definePolicy, type CandidateView, type Policy, type PolicyInput, type Verdict } from '../policy.ts'
import { planRotation, turnsUntil } from '../weighted-rotation.ts'

const roundRobinOptions = z.strictObject({
  /** True takes every turn from the one count of the fleet, at the price of a remote call per request. */
  strict: z.boolean().default(false),
})

/** Score: minus the number of turns until the candidate is served, 0 for the one whose turn it is. */
export const roundRobin = definePolicy({
  name: 'round_robin',
  options: roundRobinOptions,
  create({ strict }): Policy {
    return { name: 'round_robin', needs: { ticket: strict ? 'strict' : 'block' }, score: scoreTurns }
  },
})

function scoreTurns({ candidates, ticket, random }: PolicyInput): Verdict[] {
  // Without a ticket (the count could not be asked) the request takes anybody's turn: fair in the long run.
  const turn = ticket ?? Math.floor(random() * 0x1_0000_0000)
  if (!hasEqualWeights(candidates)) {
    const rotation = planRotation(candidates.map(({ weight, share }) => weight * inSteps(share)))
    return candidates.map((_, index) => ({ score: 0 - turnsUntil(rotation, turn, index) }))
  }
  const count = candidates.length
  const now = turn % count
  return candidates.map((_, index) => ({ score: index >= now ? now - index : now - index - count }))
}

function hasEqualWeights(candidates: readonly CandidateView[]): boolean {
  const [first] = candidates
  return candidates.every(({ weight, share }) => weight === first?.weight && share === first.share)
}

/** In twentieths: a share that climbs by the millisecond would give each request a rotation, and turns, of its own. */
function inSteps(share: number): number {
  return Math.max(1, Math.round(share * 20)) / 20
}
