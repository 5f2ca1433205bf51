// One attempt's place on a worker, from its start to its end: counted while it lasts, with a word on how it went, and with
// the permit it used.

import type { ProbePermit } from './fleet-store.ts'
import type { BookedLease, LeaseActivity } from './lease-book.ts'
import type { Outcome } from './outcome-ledger.ts'
import type { EndedAttempt } from './own-evidence.ts'

/** One request in flight on one candidate. */
export interface Lease {
  /** Written by whoever reads the answer. */
  readonly activity: LeaseActivity
  /** Says how the attempt ended. Only the first call counts; an attempt that was called off says nothing. */
  note(outcome: Outcome): void
  /** Gives the place back. Only the first call counts. */
  release(): void
  /** Says that the request is still alive. */
  renew(): void
}

/** What a lease tells whoever gave it. */
export interface LeaseOwner {
  ended(outcome: Outcome, attempt: EndedAttempt): void
  released(lease: FleetLease): void
  renewed(lease: FleetLease): void
}

export interface LeaseOptions {
  readonly owner: LeaseOwner
  readonly booked: BookedLease
  readonly attempt: EndedAttempt
  readonly permit: ProbePermit | null
  /** Keeps the runtime alive for work beside the request. */
  readonly beside: (task: Promise<unknown>) => void
}

export class FleetLease implements Lease {
  readonly activity: LeaseActivity
  readonly attempt: EndedAttempt
  readonly permit: ProbePermit | null
  readonly beside: (task: Promise<unknown>) => void
  readonly #owner: LeaseOwner
  readonly #booked: BookedLease
  #isNoted = false

  constructor({ owner, booked, attempt, permit, beside }: LeaseOptions) {
    this.#owner = owner
    this.#booked = booked
    this.activity = booked.activity
    this.attempt = attempt
    this.permit = permit
    this.beside = beside
  }

  note(outcome: Outcome): void {
    if (this.#isNoted) return
    this.#isNoted = true
    // A short answer is read in one piece, and nobody notes its bytes.
    if (outcome.kind !== 'fault') this.#booked.touch()
    this.#owner.ended(outcome, this.attempt)
  }

  release(): void {
    if (this.#booked.release()) this.#owner.released(this)
  }

  renew(): void {
    this.#booked.renew()
    this.#owner.renewed(this)
  }
}
