// The candidates of a roster while nothing is known of them but what the roster says: made once, and handed to every
// request with the few in their places that have requests of this process or isolate.

import type { CandidateView } from '../routing/policy.ts'
import { type FleetRoster, toCandidate } from './fleet-roster.ts'

export class IdleCandidates {
  readonly #candidates: readonly CandidateView[]
  readonly #places: ReadonlyMap<string, number>

  constructor({ entries }: FleetRoster) {
    this.#candidates = Array.from(entries.values(), (entry) => {
      const { availability, share } = entry
      return toCandidate(entry, { availability, share, hasPermit: false, inFlightHere: 0 })
    })
    this.#places = new Map(this.#candidates.map(({ id }, at) => [id, at]))
  }

  /** The same with these counts of requests in flight here. A list of its own: whoever decided on it keeps it. */
  with(inFlightHere: ReadonlyMap<string, number>): readonly CandidateView[] {
    const candidates = [...this.#candidates]
    for (const [id, count] of inFlightHere) {
      if (count === 0) continue
      const place = this.#places.get(id)
      const candidate = place === undefined ? undefined : this.#candidates[place]
      if (place !== undefined && candidate !== undefined) candidates[place] = { ...candidate, inFlightHere: count }
    }
    return candidates
  }
}
