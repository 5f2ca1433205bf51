// What a holder (a process or an isolate) keeps of one tenant's limits: its leases, and the requests that use them.
// Decides by what is at hand; no I/O and no clock of its own.

import type { LimitLease, LimitReport, MeterReport } from './limit-report.ts'
import { MeterBook, type MeterStanding } from './meter-book.ts'
import {
  areSame,
  type MeterLimit,
  type MeterName,
  meterLimit,
  METERS,
  onlyLimits,
  type PerMeter,
  type TenantLimits,
} from './meters.ts'

/** How long leases are used after they were asked for; the store counts on it (LAPSE_MS). */
export const LEASE_MS = 2_500

/** A request that nobody renewed for this long was dropped by the platform without any of our code running. */
const TICKET_TTL_MS = 120_000

/** A request that waits for longer was dropped likewise; nobody waits that long for the store. */
const WAITING_TTL_MS = 2_000

/** Where less than this part was free, slots that come back are not kept here, and what is used is told soon. */
const SCARCE_PART = 1 / 4

/** The same, by holders there are: each of the others may want as many at once. A new one is not known yet. */
const WANTED_AT_ONCE = 2
const LEAST_HOLDERS = 2

/** What a request takes: itself, a slot, and as many tokens as it is thought to use. */
export interface Charge {
  readonly tokens: number
}

/** A request that was let through and has not ended. */
export interface Ticket {
  /** Tokens charged so far; null when they were not limited when it began. */
  tokens: number | null
  renewedAtMs: number
}

export interface Refusal {
  readonly meter: MeterName
  readonly retryAfterMs: number
}

export interface ReportOptions {
  /** The request that waits for the answer; null when none does. */
  readonly asker: Charge | null
  /** `all` is given back where nobody has asked for a while, and where leases ahead of need serve nobody. */
  readonly keeps: 'expected' | 'nothing'
}

interface LimitedMeter {
  readonly name: MeterName
  readonly limit: MeterLimit
  readonly book: MeterBook
}

export class LimitBook {
  readonly #names: Pick<LimitReport, 'tenant' | 'holder'>
  readonly #meters: Readonly<Record<MeterName, MeterBook>> = {
    requests: new MeterBook(),
    slots: new MeterBook(),
    tokens: new MeterBook(),
  }
  readonly #tickets = new Set<Ticket>()
  readonly #waiting = new Set<{ readonly charge: Charge; readonly sinceMs: number }>()
  #limits: TenantLimits
  /** The meters that have a limit. */
  #limited: readonly LimitedMeter[]
  #revision = 0
  #leasedAtMs = Number.NEGATIVE_INFINITY
  #holders = 1

  constructor({ tenant, holder }: Pick<LimitReport, 'tenant' | 'holder'>, limits: TenantLimits) {
    this.#names = { tenant, holder }
    this.#limits = onlyLimits(limits)
    this.#limited = this.#listLimited()
  }

  /** Takes on limits that may have been configured anew. */
  adopt(limits: TenantLimits): void {
    if (areSame(this.#limits, limits)) return
    this.#limits = onlyLimits(limits)
    this.#limited = this.#listLimited()
    for (const { book } of this.#limited) book.forgetDenial()
  }

  noteDemand(charge: Charge, nowMs: number): void {
    for (const { name, book } of this.#limited) book.noteDemand(costOf(name, charge), nowMs)
  }

  /** Lets a request through if everything it takes is at hand; else takes nothing. */
  take(charge: Charge, nowMs: number): Ticket | null {
    this.#dropLapsed(nowMs)
    if (this.#limited.some(({ name, book }) => isMissing(book, costOf(name, charge)))) return null
    for (const { name, book } of this.#limited) if (name !== 'slots') book.used += costOf(name, charge)
    // Counted with or without a limit: one that is configured while requests run holds for them.
    this.#meters.slots.used += 1
    const ticket = { tokens: this.#limits.tokensPerMinute === null ? null : charge.tokens, renewedAtMs: nowMs }
    this.#tickets.add(ticket)
    return ticket
  }

  /** Why a request can't be had though the store is asked; null when it may have what is missing. */
  refusal(charge: Charge, nowMs: number): Refusal | null {
    const missing = this.#limited.filter(({ name, book }) => isMissing(book, costOf(name, charge)))
    const denied = missing.flatMap(({ name, book }) => {
      const retryAfterMs = book.deniedMs(nowMs)
      return retryAfterMs > 0 ? [{ meter: name, retryAfterMs }] : []
    })
    // A slot may come back any moment; what comes back by time is the firmer reason.
    return denied.sort((a, b) => rankOf(a) - rankOf(b)).at(-1) ?? null
  }

  /** Puts a request among those that wait for the store; the function returned takes it out. */
  wait(charge: Charge, nowMs: number): () => void {
    const waiter = { charge, sinceMs: nowMs }
    this.#waiting.add(waiter)
    return () => void this.#waiting.delete(waiter)
  }

  /** Replaces what was charged for tokens so far. */
  charge(ticket: Ticket, tokens: number): void {
    if (ticket.tokens === null || !this.#tickets.has(ticket)) return
    const more = tokens - ticket.tokens
    ticket.tokens = tokens
    if (more > 0) this.#meters.tokens.used += more
    else this.#meters.tokens.refunded -= more
  }

  /** Only the first call counts. */
  end(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket)) return
    this.#meters.slots.used -= 1
    if (this.areSlotsScarce()) this.#meters.slots.giveBackAll()
  }

  /** Whether others may be waiting for the slots that are at hand here. */
  areSlotsScarce(): boolean {
    return this.#limited.some((meter) => meter.name === 'slots' && this.#isScarce(meter))
  }

  /** Whether there is so little of anything that others may be waiting for what comes back of it. */
  isAnythingScarce(): boolean {
    return this.#limited.some((meter) => this.#isScarce(meter))
  }

  /** Whether what is at hand may not last until the store is asked next. */
  isLow(nowMs: number): boolean {
    return this.#limited.some(({ book }) => book.left() < book.expected(nowMs) / 2)
  }

  inFlight(): number {
    return this.#tickets.size
  }

  toReport(nowMs: number, { asker, keeps }: ReportOptions): LimitReport {
    this.#dropLapsed(nowMs)
    this.#dropLost(nowMs)
    this.#revision += 1
    const meters: PerMeter<MeterReport> = {}
    for (const { name, book } of this.#limited) {
      const needed = this.#needed(name)
      if (keeps === 'expected') book.giveBackSurplus(needed, nowMs)
      else book.giveBackAll()
      const expected = keeps === 'expected' ? book.expected(nowMs) : 0
      const whole = name === 'tokens' && asker !== null ? asker.tokens : 0
      meters[name] = book.toReport({ needed, whole, expected })
    }
    return { ...this.#names, revision: this.#revision, limits: this.#limits, meters }
  }

  /** Takes in the store's answer to a report that was sent at `sentAtMs`. */
  accept(lease: LimitLease, sentAtMs: number, nowMs: number): void {
    this.#leasedAtMs = Math.max(this.#leasedAtMs, sentAtMs)
    this.#holders = lease.holders
    for (const { name, book } of this.#limited) {
      const leased = lease.meters[name]
      if (leased !== undefined) book.accept(leased, nowMs)
    }
  }

  standing(nowMs: number): PerMeter<MeterStanding> {
    const standings: PerMeter<MeterStanding> = {}
    for (const { name, book, limit } of this.#limited) standings[name] = book.standing(limit, nowMs)
    return standings
  }

  renew(ticket: Ticket, nowMs: number): void {
    ticket.renewedAtMs = nowMs
  }

  #listLimited(): readonly LimitedMeter[] {
    return METERS.flatMap((name) => {
      const limit = meterLimit(this.#limits, name)
      return limit === null ? [] : [{ name, limit, book: this.#meters[name] }]
    })
  }

  #dropLapsed(nowMs: number): void {
    if (nowMs - this.#leasedAtMs <= LEASE_MS) return
    for (const name of METERS) this.#meters[name].giveBackAll()
  }

  #dropLost(nowMs: number): void {
    for (const ticket of this.#tickets) if (nowMs - ticket.renewedAtMs > TICKET_TTL_MS) this.end(ticket)
    for (const waiter of this.#waiting) if (nowMs - waiter.sinceMs > WAITING_TTL_MS) this.#waiting.delete(waiter)
  }

  #isScarce({ book, limit }: LimitedMeter): boolean {
    const spare = WANTED_AT_ONCE * Math.max(LEAST_HOLDERS, this.#holders)
    return book.isScarce(Math.max(spare, limit.capacity * SCARCE_PART))
  }

  #needed(meter: MeterName): number {
    let needed = 0
    for (const { charge } of this.#waiting) needed += costOf(meter, charge)
    return needed
  }
}

function costOf(meter: MeterName, { tokens }: Charge): number {
  return meter === 'tokens' ? tokens : 1
}

/** What costs nothing is there whatever is left: a route that uses no tokens is served in spite of a debt. */
function isMissing(book: MeterBook, cost: number): boolean {
  return cost > 0 && book.left() < cost
}

function rankOf({ meter, retryAfterMs }: Refusal): number {
  return meter === 'slots' ? -1 : retryAfterMs
}
