// When workers are asked, where a timer keeps the time: round after round, sooner for workers that requests found gone or
// that have just joined, never two rounds at once.

import type { WorkerObservation } from './fleet-store.ts'

/** How soon a worker that a request could not reach is asked again. */
const RECHECK_MS = 200

export interface ProbeRoundsOptions {
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** Asks the workers whose turn it is, and those in `doubted`. Never rejects: a worker that fails is an observation. */
  probe(doubted: ReadonlySet<string>): Promise<readonly WorkerObservation[]>
  /** Milliseconds to the next round. */
  nextProbeMs(): number
}

export class ProbeRounds {
  readonly #options: ProbeRoundsOptions
  readonly #observe: (observations: readonly WorkerObservation[]) => void
  readonly #first: Promise<void>
  #callOff: () => void = () => {}
  #dueAtMs = Number.POSITIVE_INFINITY
  #isClosed = false
  #isAsking = false
  #hasAsked = false
  /** Told at the end of the round that begins next. */
  #waiting: (() => void)[] = []
  /** Workers that requests found gone since the round under way began, which may have asked them before. */
  #doubted = new Set<string>()

  /** The first round begins at once. */
  constructor(options: ProbeRoundsOptions, observe: (observations: readonly WorkerObservation[]) => void) {
    this.#options = options
    this.#observe = observe
    this.#first = this.#round()
  }

  /** A promise of the first round's end; null once it has ended. */
  first(): Promise<void> | null {
    return this.#hasAsked ? null : this.#first
  }

  /** Requests found these gone: they are asked again soon, it may have been one broken connection. */
  recheck(workerIds: readonly string[]): void {
    for (const workerId of workerIds) this.#doubted.add(workerId)
    if (!this.#isAsking && workerIds.length > 0) this.#schedule(RECHECK_MS)
  }

  /** These have just joined: they are asked at once. Resolves when they have been. */
  askNow(workerIds: readonly string[]): Promise<void> {
    for (const workerId of workerIds) this.#doubted.add(workerId)
    const asked = new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (!this.#isAsking) this.#schedule(0)
    return asked
  }

  close(): void {
    this.#isClosed = true
    this.#callOff()
  }

  /** A round that is due sooner stays: reports that keep coming must not put it off. */
  #schedule(delayMs: number): void {
    const atMs = this.#options.now() + delayMs
    if (this.#isClosed || atMs >= this.#dueAtMs) return
    this.#callOff()
    this.#dueAtMs = atMs
    this.#callOff = this.#options.after(delayMs, () => void this.#round())
  }

  async #round(): Promise<void> {
    this.#dueAtMs = Number.POSITIVE_INFINITY
    const doubted = this.#doubted
    this.#doubted = new Set()
    const told = this.#waiting
    this.#waiting = []
    this.#isAsking = true
    const observations = await this.#options.probe(doubted)
    this.#isAsking = false
    this.#observe(observations)
    this.#hasAsked = true
    for (const tell of told) tell()
    this.#schedule(this.#nextMs())
  }

  #nextMs(): number {
    if (this.#waiting.length > 0) return 0
    return this.#doubted.size > 0 ? RECHECK_MS : this.#options.nextProbeMs()
  }
}
