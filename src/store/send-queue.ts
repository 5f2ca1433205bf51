// Records of one isolate on their way to the objects that keep them. One request at a time sends for all: it pauses,
// sends what has come meanwhile, and goes on until nothing waits. The others leave their records and are done; should the
// one that sends be ended by the platform, the next takes its place. Nobody waits for a promise of another request, as on
// workerd that may never settle.

import type { ViewDocument } from '../record/view-document.ts'
import { type DecisionLogChange, LogHealth } from './log-health.ts'
import { type BatchLine, isTooLong, MAX_ROW_BYTES } from './record-batch.ts'

export interface SendQueueOptions {
  now(): number
  /** Calls `task` once after `delayMs`. */
  after(delayMs: number, task: () => void): () => void
  /** Told when handing over begins to fail, when records begin to be lost, and when all is well again. */
  onChange(change: DecisionLogChange): void
  /**
   * Hands lines over; returns those that were not taken, with why in `failure`. Never rejects. Says which are taken as soon
   * as they are: one object may have answered long before another does, if that ever does.
   */
  send(lines: readonly SentLine[], onTaken: (lines: readonly SentLine[]) => void): Promise<SendOutcome>
}

export interface SentLine extends BatchLine {
  /** The document that the record names; null when it names none. */
  readonly view: ViewDocument | null
}

export interface SendOutcome {
  readonly refused: ReadonlySet<SentLine>
  readonly failure: string | null
}

/** Between two sends of an isolate, unless many wait. */
export const SEND_PAUSE_MS = 1_000
/** So many are sent without a pause. Each send is a call and a row of an object, so fewer cost more than they save. */
export const BATCH_LINES = 500
const BATCH_LENGTH = 512 * 1024

/** What an isolate holds at most; its memory is for requests. */
export const MAX_QUEUED = 2_000
const MAX_QUEUED_LENGTH = 8 * 1024 * 1024

const TOO_SLOW = 'its objects are too slow'
const TOO_LONG = `a record is longer than a row of its objects, ${MAX_ROW_BYTES} bytes`

/** A call that takes longer was made by a request that is gone. */
const SEND_TIMEOUT_MS = 10_000

/** How much later than it meant to the one that sends for all may go on; after that it is taken for gone. */
const SENDER_SLACK_MS = 1_000

/** The platform ends what outlives an answer by 30 seconds. */
const SENDER_MS = 20_000

/** The pause after a failure; it doubles with each. */
const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 4_000

/** With one object down and others well, the pause after so many failures: no longer than between any two sends. */
const FAILURES_OF_SOME = 2

interface Entry {
  readonly line: SentLine
  state: 'waiting' | 'sending' | 'taken'
  /** Which send it went with last, and when that began. */
  send: number
  sentAtMs: number
}

export class SendQueue {
  readonly #options: SendQueueOptions
  readonly #waiting = new Set<Entry>()
  readonly #sending = new Set<Entry>()
  #length = 0
  #sends = 0
  #lastSentAtMs = Number.NEGATIVE_INFINITY
  /** Until when the request that sends for all has gone on, if it is alive; null when there is none. */
  #senderDueAtMs: number | null = null
  #senders = 0
  #failures = 0
  readonly #health: LogHealth
  #taken = 0

  constructor(options: SendQueueOptions) {
    this.#options = options
    this.#health = new LogHealth({ waiting: () => this.#count(), onChange: options.onChange })
  }

  /**
   * Resolves once all are taken; null when another request sends for all. Rejects when there is no room, or nobody took
   * them for as long as a request may last; they stay for the next request then. What no object can hold is lost at once.
   */
  add(given: readonly SentLine[]): Promise<void> | null {
    const lines = given.filter((line) => !isTooLong(line))
    if (lines.length < given.length) {
      this.#health.lose(given.length - lines.length, TOO_LONG)
      if (lines.length === 0) return Promise.reject(new Error(TOO_LONG))
    }
    const length = lines.reduce((sum, { line }) => sum + line.length, 0)
    if (this.#count() + lines.length > MAX_QUEUED || this.#length + length > MAX_QUEUED_LENGTH) {
      this.#health.lose(lines.length, TOO_SLOW)
      return Promise.reject(new Error(`the decision log has no room: ${this.#health.failing ?? TOO_SLOW}`))
    }
    for (const line of lines) this.#waiting.add({ line, state: 'waiting', send: 0, sentAtMs: 0 })
    this.#length += length
    if (!this.#hasSender()) return this.#sendForAll()
    // Whoever sends for all pauses; so many are not left to wait.
    return this.#waiting.size >= BATCH_LINES && this.#failures === 0 ? this.#sendAll() : null
  }

  status() {
    return { taken: this.#taken, waiting: this.#count(), lost: this.#health.lost, failing: this.#health.failing }
  }

  #count(): number {
    return this.#waiting.size + this.#sending.size
  }

  #hasSender(): boolean {
    return this.#senderDueAtMs !== null && this.#options.now() < this.#senderDueAtMs
  }

  async #sendForAll(): Promise<void> {
    this.#senders += 1
    const own = this.#senders
    const isSender = () => own === this.#senders
    // Counted, not measured: the clock of a Worker stands still while nothing happens.
    for (let sentForMs = 0; isSender() && sentForMs < SENDER_MS;) {
      const pauseMs = this.#pauseMs()
      this.#senderDueAtMs = this.#options.now() + pauseMs + SENDER_SLACK_MS
      if (pauseMs > 0) await this.#pause(pauseMs)
      sentForMs += pauseMs
      if (!isSender()) return
      this.#takeBack()
      if (this.#waiting.size === 0) break
      this.#senderDueAtMs = this.#options.now() + SEND_TIMEOUT_MS
      await this.#sendAll()
      if (this.#waiting.size === 0) break
    }
    if (!isSender()) return
    this.#senderDueAtMs = null
    if (this.#failures > 0)
      throw new Error(`the decision log could not be reached: ${this.#health.failing ?? 'no answer'}`)
  }

  /** None after a while without a send, so that a lone record is on its way at once. */
  #pauseMs(): number {
    if (this.#failures > 0) return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures)
    if (this.#waiting.size >= BATCH_LINES || this.#length >= BATCH_LENGTH) return 0
    return Math.max(0, SEND_PAUSE_MS - Math.max(0, this.#options.now() - this.#lastSentAtMs))
  }

  async #sendAll(): Promise<void> {
    const entries = [...this.#waiting]
    this.#waiting.clear()
    this.#sends += 1
    this.#lastSentAtMs = this.#options.now()
    const sending = { state: 'sending', send: this.#sends, sentAtMs: this.#lastSentAtMs } as const
    for (const entry of entries) this.#sending.add(Object.assign(entry, sending))
    const byLine = new Map(entries.map((entry) => [entry.line, entry]))
    const { refused, failure } = await this.#options.send([...byLine.keys()], (taken) => {
      for (const line of taken) {
        const entry = byLine.get(line)
        if (entry !== undefined) this.#settle(entry)
      }
    })
    const most = refused.size < entries.length ? FAILURES_OF_SOME : Number.POSITIVE_INFINITY
    this.#failures = failure === null ? 0 : Math.min(most, this.#failures + 1)
    for (const entry of entries) {
      if (!refused.has(entry.line)) this.#settle(entry)
      // One that another request has sent anew meanwhile is no longer ours.
      else if (entry.state === 'sending' && entry.send === sending.send) this.#returnToWaiting(entry)
    }
    if (failure === null) this.#health.succeeded()
    else this.#health.failed(failure)
  }

  #settle(entry: Entry): void {
    if (entry.state === 'taken') return
    entry.state = 'taken'
    this.#waiting.delete(entry)
    this.#sending.delete(entry)
    this.#length -= entry.line.line.length
    this.#taken += 1
  }

  #returnToWaiting(entry: Entry): void {
    entry.state = 'waiting'
    this.#sending.delete(entry)
    this.#waiting.add(entry)
  }

  /** What a request that is gone was sending is sent anew; whoever takes it twice keeps it once. */
  #takeBack(): void {
    const nowMs = this.#options.now()
    for (const entry of this.#sending) if (nowMs - entry.sentAtMs > SEND_TIMEOUT_MS) this.#returnToWaiting(entry)
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.after(delayMs, resolve))
  }
}
