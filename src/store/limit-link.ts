// The line between one tenant's book here and the store: reports and answers, also late ones, and whether it holds.

import type { LimitBook, ReportOptions } from '../limits/limit-book.ts'
import type { LimitStore } from './limit-store.ts'

/** How long a request waits for the store. */
const ANSWER_MS = 500

/** Requests that ask at a time: an answer serves all that wait, and a crowd must not become a crowd at the store. */
const MAX_ASKING = 2

/** Holders there may be when none have ever been counted. */
const ASSUMED_HOLDERS = 8

export interface LimitLinkOptions {
  readonly store: LimitStore
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** The store could not be asked; limits go on by a local share. */
  onStoreFailed(cause: unknown): void
  /** It answers again. */
  onStoreRecovered?(): void
}

export class LimitLink {
  readonly #options: LimitLinkOptions
  readonly #book: LimitBook
  #isOut = false
  #holders = ASSUMED_HOLDERS
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** When each question that is under way was sent; one whose request was dropped is never answered. */
  readonly #underWay = new Set<{ readonly sentAtMs: number }>()

  constructor(options: LimitLinkOptions, book: LimitBook) {
    this.#options = options
    this.#book = book
  }

  /** True while the store could not be asked the last time. */
  get isOut(): boolean {
    return this.#isOut
  }

  /** How many share the limits. */
  get holders(): number {
    return this.#holders
  }

  /** How long ago the store was asked last, answered or not. */
  get quietMs(): number {
    return this.#options.now() - this.#askedAtMs
  }

  /** Whether so many ask that whoever comes now does better to look at what they get. */
  get isBusy(): boolean {
    const oldestMs = this.#options.now() - ANSWER_MS
    for (const question of this.#underWay) if (question.sentAtMs < oldestMs) this.#underWay.delete(question)
    return this.#underWay.size >= MAX_ASKING
  }

  /** Reports to the store. False when no answer came in time; one that comes later is taken in all the same. */
  async ask(options: ReportOptions): Promise<boolean> {
    const sentAtMs = this.#options.now()
    this.#askedAtMs = sentAtMs
    const question = { sentAtMs }
    this.#underWay.add(question)
    try {
      await this.#within(ANSWER_MS, this.#exchange(sentAtMs, options))
      return true
    } catch (cause) {
      // Told once: it is asked again every second for as long as it takes.
      if (!this.#isOut) this.#options.onStoreFailed(cause)
      this.#isOut = true
      return false
    } finally {
      this.#underWay.delete(question)
    }
  }

  async #exchange(sentAtMs: number, options: ReportOptions): Promise<void> {
    const lease = await this.#options.store.lease(this.#book.toReport(sentAtMs, options))
    this.#book.accept(lease, sentAtMs, this.#options.now())
    this.#holders = Math.max(1, lease.holders)
    if (this.#isOut) this.#options.onStoreRecovered?.()
    this.#isOut = false
  }

  /** Each request has a timer of its own: on workerd nobody may wait for what another request began. */
  async #within(limitMs: number, answered: Promise<void>): Promise<void> {
    let callOff = () => {}
    const late = new Promise<never>((_, reject) => {
      callOff = this.#options.after(limitMs, () => reject(new Error(`no answer within ${limitMs} ms`)))
    })
    try {
      await Promise.race([answered, late])
    } finally {
      callOff()
    }
  }
}
