// What a tenant's limits say to a request, and what the request says back until it ends.

import type { Refusal } from '../limits/limit-book.ts'
import type { MeterStanding } from '../limits/meter-book.ts'
import type { PerMeter } from '../limits/meters.ts'

/** Where the limits of a tenant stood when they were looked at. */
export type LimitStanding = PerMeter<MeterStanding>

export interface Admitted {
  readonly kind: 'admitted'
  /** Replaces the tokens charged so far: by a better estimate, or by what was used. */
  charge(tokens: number): void
  /** Says that the request is still alive. */
  renew(): void
  /** The request has ended. Only the first call counts. */
  release(): void
  standing(): LimitStanding
}

export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
  standing(): LimitStanding
}

export type LimitOutcome = Admitted | Refused

/** For a request that got nothing, though nobody said that there is nothing. */
export const NO_TURN: Refusal = { meter: 'requests', retryAfterMs: 1_000 }
