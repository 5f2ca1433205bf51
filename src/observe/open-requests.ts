// Requests that have begun and not ended. The platform can drop one without any of our code running, so each shows that it
// is alive, and one that does not is given up.

import type { Exchange, Held } from '../pipeline/exchange.ts'

export interface OpenRequest {
  readonly decisionId: string
  readonly exchange: Exchange
}

export interface OpenRequestsOptions {
  now(): number
  /** Says that these are under way; called on a request's own time. */
  tell(due: readonly OpenRequest[], by: Exchange): void
}

/** Longer than anything before the first attempt takes; during attempts there is a sign of life every few seconds. */
const SILENT_MS = 600_000

/** How often the silent ones are looked for. */
const SWEEP_MS = 10_000

/** Requests that are over before are not worth a word; later ones are told of, and again while they last. */
const TELL_AFTER_MS = 5_000
const TELL_AGAIN_MS = 20_000

/** Those given up that are remembered, should they end after all. */
const MAX_GIVEN_UP = 1_000

class Entry implements OpenRequest, Held {
  readonly decisionId: string
  readonly exchange: Exchange
  aliveAtMs: number
  toldAtMs: number
  readonly #requests: OpenRequests

  constructor(requests: OpenRequests, { decisionId, exchange }: OpenRequest, nowMs: number) {
    this.#requests = requests
    this.decisionId = decisionId
    this.exchange = exchange
    this.aliveAtMs = nowMs
    this.toldAtMs = nowMs + TELL_AFTER_MS - TELL_AGAIN_MS
  }

  renew(): void {
    this.#requests.renewed(this)
  }

  /** Its record tells that it is over. */
  release(): void {}
}

export class OpenRequests {
  readonly #options: OpenRequestsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #givenUp = new Set<string>()
  #sweptAtMs = 0

  constructor(options: OpenRequestsOptions) {
    this.#options = options
  }

  open(decisionId: string, exchange: Exchange): void {
    const entry = new Entry(this, { decisionId, exchange }, this.#options.now())
    this.#entries.set(decisionId, entry)
    exchange.held.push(entry)
  }

  /** Null for one that is not known; one that was given up has a record already. */
  close(decisionId: string): OpenRequest | 'given_up' | null {
    const entry = this.#entries.get(decisionId) ?? null
    this.#entries.delete(decisionId)
    return entry === null && this.#givenUp.delete(decisionId) ? 'given_up' : entry
  }

  list(): readonly OpenRequest[] {
    return [...this.#entries.values()]
  }

  /** Those that have shown no sign of life for too long. */
  takeOrphans(): readonly OpenRequest[] {
    const nowMs = this.#options.now()
    if (nowMs - this.#sweptAtMs < SWEEP_MS) return []
    this.#sweptAtMs = nowMs
    return this.#take(({ aliveAtMs }) => nowMs - aliveAtMs > SILENT_MS)
  }

  takeAll(): readonly OpenRequest[] {
    return this.#take(() => true)
  }

  #take(isTaken: (entry: Entry) => boolean): readonly OpenRequest[] {
    const taken = [...this.#entries.values()].filter(isTaken)
    for (const { decisionId } of taken) {
      this.#entries.delete(decisionId)
      if (this.#givenUp.size >= MAX_GIVEN_UP) this.#givenUp.clear()
      this.#givenUp.add(decisionId)
    }
    return taken
  }

  /** Tells of all that are due at once, on behalf of the others. */
  renewed(entry: Entry): void {
    const nowMs = this.#options.now()
    entry.aliveAtMs = nowMs
    if (nowMs - entry.toldAtMs < TELL_AGAIN_MS || !this.#entries.has(entry.decisionId)) return
    const due = [...this.#entries.values()].filter(
      ({ toldAtMs, aliveAtMs }) => nowMs - toldAtMs >= TELL_AGAIN_MS && nowMs - aliveAtMs < TELL_AGAIN_MS,
    )
    for (const one of due) one.toldAtMs = nowMs
    this.#options.tell(due, entry.exchange)
  }
}
