// What a holder (a process or an isolate) and the store of a tenant's limits say to each other. Counts are absolute and
// only the store issues: a repeated, lost or overtaken message does no harm.

import type { PerMeter, TenantLimits } from './meters.ts'

/** What one holder has of one meter, counted since the holder began. `granted - returned - used` is left to use. */
export interface Holding {
  /** Leased to it. Everything up to here is paid for: it was taken from what others could get. */
  readonly granted: number
  /** Given back unused. */
  readonly returned: number
  /** Requests let through, tokens charged; of slots, those in use now. */
  readonly used: number
  /** Charged and in the end not used, to go back to everybody. */
  readonly refunded: number
}

export interface MeterReport extends Holding {
  /** What requests wait for at this moment. */
  readonly needed: number
  /** Of that, what is given whole or not at all, though it be more than is left: a big request must not starve. */
  readonly whole: number
  /** What the holder expects to use in the second to come. */
  readonly expected: number
}

export interface LimitReport {
  readonly tenant: string
  /** Random name of the process or isolate. */
  readonly holder: string
  /** Grows with each report of a holder; one that was overtaken is answered, and its counts are ignored. */
  readonly revision: number
  /** As the holder's configuration has them. */
  readonly limits: TenantLimits
  readonly meters: PerMeter<MeterReport>
}

export interface MeterLease {
  /** The holder's new `granted`. */
  readonly granted: number
  /** The holder's `returned`, and what it lost because it was silent for too long. */
  readonly returned: number
  /** What nobody has leased; below zero it is debt. */
  readonly free: number
  /** When it makes sense to ask again; null when everything needed was given. */
  readonly retryAfterMs: number | null
}

export interface LimitLease {
  readonly meters: PerMeter<MeterLease>
  /** Holders heard of lately, this one included. */
  readonly holders: number
}
