// One tenant's limits as a process or isolate applies them: by its leases where they suffice, by asking the store where
// they don't, and by a share of its own while the store can't be reached.

import { type Charge, LimitBook, type Refusal, type ReportOptions, type Ticket } from '../limits/limit-book.ts'
import { shareOf, type TenantLimits } from '../limits/meters.ts'
import { LimitLink, type LimitLinkOptions } from './limit-link.ts'
import { type Admitted, type LimitOutcome, type LimitStanding, NO_TURN, type Refused } from './limit-outcome.ts'
import { LocalLimits } from './local-limits.ts'
import { createMemoryLimitStore } from './memory-limits.ts'

/** The store is told at least this often what requests use. */
const REPORT_MS = 500

/** When leases run low, it is asked again no sooner than this. */
const LOW_MS = 100

/** Running requests are told of this often, so that the store does not take this holder for dead. */
const RENEW_MS = 15_000

/** After so long without a request what is left goes back. */
const IDLE_MS = 1_000

/** For how many times that long one request looks after what is left; `waitUntil` ends after 30 s. */
const WATCH_TURNS = 20

/** A store that fails is asked this often, beside requests. */
const RETRY_MS = 1_000

/** Slots that others may want go back at once, but in one call for all that come back so close together. */
const GATHER_MS = 20

/** A request that finds no slot asks again after a pause, as the news of one that came back may be on its way. */
const SLOT_PAUSE_MS = 110
const SLOT_PAUSES = 2
const MAX_PAUSING = 16

/** Where others ask already, a request looks this often whether they got enough for it, too. */
const LOOK_MS = 10

/** A request that neither got through nor was refused by then is refused. */
const DECIDE_MS = 1_500

/** A report that nobody waits for. */
const BESIDE: ReportOptions = { asker: null, keeps: 'expected' }

export interface LimitAccountOptions extends LimitLinkOptions {
  readonly tenant: string
  /** Name of this process or isolate. */
  readonly holder: string
}

export type WaitUntil = (task: Promise<unknown>) => void

export class LimitAccount {
  readonly #options: LimitAccountOptions
  readonly #book: LimitBook
  readonly #link: LimitLink
  #limits: TenantLimits
  /** Decides while the store can't be reached; null until it could not. */
  #standIn: LocalLimits | null = null
  #activeAtMs = Number.NEGATIVE_INFINITY
  /** Until when another request is taken to be about it: it may be dropped without a word. */
  #watchedUntilMs = Number.NEGATIVE_INFINITY
  #gatheringUntilMs = Number.NEGATIVE_INFINITY
  /** Until when another request is taken to be about to tell the store what came since it was asked. */
  #tellingUntilMs = Number.NEGATIVE_INFINITY
  /** When each of the requests that pause will be done: one that is dropped meanwhile must not count for ever. */
  #pausesEndMs: readonly number[] = []

  constructor(options: LimitAccountOptions, limits: TenantLimits) {
    this.#options = options
    this.#limits = limits
    this.#book = new LimitBook(options, limits)
    this.#link = new LimitLink(options, this.#book)
  }

  /** At once wherever leases decide; else the store is asked. Never rejects. */
  admit(limits: TenantLimits, charge: Charge, waitUntil: WaitUntil): LimitOutcome | Promise<LimitOutcome> {
    const nowMs = this.#options.now()
    this.#limits = limits
    this.#book.adopt(limits)
    this.#book.noteDemand(charge, nowMs)
    const ticket = this.#book.take(charge, nowMs)
    if (ticket !== null) return this.#admitted(ticket, waitUntil)
    if (this.#link.isOut) {
      if (this.#link.quietMs >= RETRY_MS) waitUntil(this.#link.ask(BESIDE))
      return this.#decideAlone(charge)
    }
    const refusal = this.#book.refusal(charge, nowMs)
    if (refusal !== null && !this.#mayPause(refusal)) return this.#refused(refusal)
    return this.#decide(charge, waitUntil)
  }

  standing(): LimitStanding {
    return this.#book.standing(this.#options.now())
  }

  /** Requests let through that have not ended. */
  inFlight(): number {
    return this.#book.inFlight() + (this.#standIn?.inFlight() ?? 0)
  }

  async #decide(charge: Charge, waitUntil: WaitUntil): Promise<LimitOutcome> {
    const { now } = this.#options
    const untilMs = now() + DECIDE_MS
    const stopWaiting = this.#book.wait(charge, now())
    try {
      let pauses = 0
      while (now() < untilMs) {
        const refusal = this.#book.refusal(charge, now())
        if (refusal !== null && (pauses === SLOT_PAUSES || !this.#mayPause(refusal))) return this.#refused(refusal)
        if (refusal !== null) pauses += 1
        const isAnswered = refusal === null ? await this.#ask(charge) : await this.#pauseForSlot()
        const ticket = this.#book.take(charge, now())
        if (ticket !== null) return this.#admitted(ticket, waitUntil)
        if (!isAnswered) return this.#decideAlone(charge)
      }
      return this.#refused(NO_TURN)
    } finally {
      stopWaiting()
    }
  }

  /** False when the store does not answer. */
  async #ask(charge: Charge): Promise<boolean> {
    if (!this.#link.isBusy) return this.#link.ask({ asker: charge, keeps: 'expected' })
    await this.#pause(LOOK_MS)
    return !this.#link.isOut
  }

  #mayPause({ meter }: Refusal): boolean {
    const nowMs = this.#options.now()
    return meter === 'slots' && this.#pausesEndMs.filter((endMs) => endMs > nowMs).length < MAX_PAUSING
  }

  async #pauseForSlot(): Promise<true> {
    const nowMs = this.#options.now()
    this.#pausesEndMs = [...this.#pausesEndMs.filter((endMs) => endMs > nowMs), nowMs + SLOT_PAUSE_MS]
    await this.#pause(SLOT_PAUSE_MS)
    return true
  }

  /** While the store can't be reached: by a share of the limits that this holder keeps itself. */
  #decideAlone(charge: Charge): LimitOutcome {
    const limits = shareOf(this.#limits, this.#link.holders)
    const { now } = this.#options
    this.#standIn ??= new LocalLimits({ ...this.#options, leaseNow: createMemoryLimitStore(now).leaseNow }, limits)
    return this.#standIn.admit(limits, charge)
  }

  #admitted(ticket: Ticket, waitUntil: WaitUntil): Admitted {
    const { now } = this.#options
    this.#tend(waitUntil)
    return {
      kind: 'admitted',
      charge: (tokens) => this.#book.charge(ticket, tokens),
      renew: () => {
        this.#book.renew(ticket, now())
        if (this.#link.quietMs >= RENEW_MS) waitUntil(this.#link.ask(BESIDE))
      },
      release: () => {
        this.#book.end(ticket)
        if (this.#book.areSlotsScarce()) this.#gather(waitUntil)
        this.#tend(waitUntil)
      },
      standing: () => this.standing(),
    }
  }

  #refused(refusal: Refusal): Refused {
    return { kind: 'refused', refusal, standing: () => this.standing() }
  }

  /** Keeps leases from running out and the store from knowing too little, beside a request that begins or ends. */
  #tend(waitUntil: WaitUntil): void {
    const nowMs = this.#options.now()
    this.#activeAtMs = nowMs
    const dueMs = this.#book.isLow(nowMs) ? LOW_MS : REPORT_MS
    if (this.#link.quietMs >= dueMs) waitUntil(this.#link.ask(BESIDE))
    else if (nowMs > this.#tellingUntilMs && this.#book.isAnythingScarce()) waitUntil(this.#tell())
    if (nowMs >= this.#watchedUntilMs) waitUntil(this.#watch())
  }

  /** What is used comes back from when the store knows of it: told, where that counts, though nobody comes by any more. */
  async #tell(): Promise<void> {
    const { now } = this.#options
    this.#tellingUntilMs = now() + 2 * REPORT_MS
    // Twice where it was asked meanwhile: what came since then is still to be told.
    for (let pauses = 0; pauses < 2 && this.#link.quietMs < REPORT_MS; pauses++) {
      await this.#pause(REPORT_MS - this.#link.quietMs)
    }
    this.#tellingUntilMs = Number.NEGATIVE_INFINITY
    if (now() - this.#activeAtMs <= this.#link.quietMs) await this.#link.ask(BESIDE)
  }

  /** Gives back what is left once nobody has come for a while; hands the watch over after some time. */
  async #watch(): Promise<void> {
    const { now } = this.#options
    for (let turn = 0; turn < WATCH_TURNS; turn++) {
      this.#watchedUntilMs = now() + 2 * IDLE_MS
      await this.#pause(IDLE_MS)
      if (now() - this.#activeAtMs < IDLE_MS) continue
      this.#watchedUntilMs = Number.NEGATIVE_INFINITY
      await this.#link.ask({ asker: null, keeps: 'nothing' })
      return
    }
    // The next request to begin or end takes the watch over; until then nothing must be untold.
    this.#watchedUntilMs = Number.NEGATIVE_INFINITY
    await this.#link.ask(BESIDE)
  }

  #gather(waitUntil: WaitUntil): void {
    const nowMs = this.#options.now()
    if (nowMs < this.#gatheringUntilMs) return
    this.#gatheringUntilMs = nowMs + 2 * GATHER_MS
    waitUntil(this.#giveBackSlots(GATHER_MS - this.#link.quietMs))
  }

  async #giveBackSlots(delayMs: number): Promise<void> {
    if (delayMs > 0) await this.#pause(delayMs)
    this.#gatheringUntilMs = Number.NEGATIVE_INFINITY
    await this.#link.ask(BESIDE)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.after(ms, resolve))
  }
}
