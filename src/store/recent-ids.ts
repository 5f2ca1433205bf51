// Which records came lately, so that one that comes twice is known without a look at the disk. What is forgotten is so
// much older that whoever asks about its time knows to look there.

/** At least as many are remembered, at most twice as many: some 80 bytes each. */
const REMEMBERED = 20_000

export class RecentIds {
  #ids = new Set<string>()
  #lastMs = Number.NEGATIVE_INFINITY
  #before: ReadonlySet<string> = new Set()
  #beforeMs = Number.NEGATIVE_INFINITY
  #forgottenThroughMs: number
  readonly #remembered: number

  /** `forgottenThroughMs`: the newest time of records that came before and will not be added. */
  constructor(forgottenThroughMs: number, remembered: number = REMEMBERED) {
    this.#forgottenThroughMs = forgottenThroughMs
    this.#remembered = remembered
  }

  has(id: string): boolean {
    return this.#ids.has(id) || this.#before.has(id)
  }

  /** Whether a record of this time may have come, and not be known here any more. */
  mayHaveForgotten(timeMs: number): boolean {
    return timeMs <= this.#forgottenThroughMs
  }

  /** `lastMs`: the newest time of these. */
  add(ids: Iterable<string>, lastMs: number): void {
    if (this.#ids.size >= this.#remembered) {
      this.#forgottenThroughMs = Math.max(this.#forgottenThroughMs, this.#beforeMs)
      this.#before = this.#ids
      this.#beforeMs = this.#lastMs
      this.#ids = new Set()
      this.#lastMs = Number.NEGATIVE_INFINITY
    }
    for (const id of ids) this.#ids.add(id)
    this.#lastMs = Math.max(this.#lastMs, lastMs)
  }
}
