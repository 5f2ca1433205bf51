// One tenant's limits where they are kept in this very process: exact, and asked anew by each request.

import { type Charge, LimitBook } from '../limits/limit-book.ts'
import type { LimitReport } from '../limits/limit-report.ts'
import type { TenantLimits } from '../limits/meters.ts'
import { type LimitOutcome, type LimitStanding, NO_TURN } from './limit-outcome.ts'
import type { LimitStore } from './limit-store.ts'

export interface LocalLimitsOptions extends Pick<LimitReport, 'tenant' | 'holder'> {
  readonly leaseNow: NonNullable<LimitStore['leaseNow']>
  now(): number
}

export class LocalLimits {
  readonly #options: LocalLimitsOptions
  readonly #book: LimitBook

  constructor(options: LocalLimitsOptions, limits: TenantLimits) {
    this.#options = options
    this.#book = new LimitBook(options, limits)
  }

  admit(limits: TenantLimits, charge: Charge): LimitOutcome {
    const { now } = this.#options
    const book = this.#book
    book.adopt(limits)
    const stopWaiting = book.wait(charge, now())
    this.#settle(charge)
    stopWaiting()
    const ticket = book.take(charge, now())
    const standing = () => this.standing()
    if (ticket === null) {
      const refusal = book.refusal(charge, now()) ?? NO_TURN
      // What was leased of other meters goes back: a refused request takes nothing.
      this.#settle(null)
      return { kind: 'refused', refusal, standing }
    }
    return {
      kind: 'admitted',
      charge: (tokens) => book.charge(ticket, tokens),
      renew: () => {
        book.renew(ticket, now())
        this.#settle(null)
      },
      release: () => {
        book.end(ticket)
        this.#settle(null)
      },
      standing,
    }
  }

  standing(): LimitStanding {
    return this.#book.standing(this.#options.now())
  }

  /** Requests let through that have not ended. */
  inFlight(): number {
    return this.#book.inFlight()
  }

  #settle(asker: Charge | null): void {
    const nowMs = this.#options.now()
    const report = this.#book.toReport(nowMs, { asker, keeps: 'nothing' })
    this.#book.accept(this.#options.leaseNow(report), nowMs, nowMs)
  }
}
