// Where requests ask whether their tenant's limits let them through: one account per tenant that has limits.

import type { Charge } from '../limits/limit-book.ts'
import { shareOf, type TenantLimits } from '../limits/meters.ts'
import { LimitAccount, type LimitAccountOptions, type WaitUntil } from './limit-account.ts'
import type { LimitOutcome, LimitStanding } from './limit-outcome.ts'
import { LocalLimits } from './local-limits.ts'

export interface LimitDeskOptions extends Omit<LimitAccountOptions, 'tenant' | 'holder'> {
  randomId(): string
}

export interface Applicant {
  readonly tenant: string
  readonly limits: TenantLimits
  readonly charge: Charge
}

/** What is known here of a tenant with limits, for those who operate the router. */
export interface TenantUse {
  readonly inFlight: number
  readonly standing: LimitStanding
}

export class LimitDesk {
  readonly #options: Omit<LimitAccountOptions, 'tenant'>
  // Names come from the configuration, so their number is bounded.
  readonly #accounts = new Map<string, LimitAccount | LocalLimits>()

  constructor({ randomId, ...options }: LimitDeskOptions) {
    this.#options = { ...options, holder: randomId() }
  }

  /** Lets a request through, or says why not. Never rejects; in steady state at once, without a call. */
  admit({ tenant, limits: whole, charge }: Applicant, waitUntil: WaitUntil): LimitOutcome | Promise<LimitOutcome> {
    const parts = this.#options.store.parts?.() ?? 1
    const limits = parts === 1 ? whole : shareOf(whole, parts)
    let account = this.#accounts.get(tenant)
    if (account === undefined) {
      account = this.#open(tenant, limits)
      this.#accounts.set(tenant, account)
    }
    return account.admit(limits, charge, waitUntil)
  }

  /** Null for a tenant that has no limits, or has not called here yet. */
  use(tenant: string): TenantUse | null {
    const account = this.#accounts.get(tenant)
    return account === undefined ? null : { inFlight: account.inFlight(), standing: account.standing() }
  }

  #open(tenant: string, limits: TenantLimits): LimitAccount | LocalLimits {
    const options = { ...this.#options, tenant }
    const { leaseNow } = options.store
    return leaseNow === null ? new LimitAccount(options, limits) : new LocalLimits({ ...options, leaseNow }, limits)
  }
}
