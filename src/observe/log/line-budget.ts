// How many lines a second anybody on the network may cause without a key.

const LINES_A_SECOND = 20

export class LineBudget {
  #second = Number.NEGATIVE_INFINITY
  #written = 0
  #left = 0

  /** How many lines were left out since the last one, when this one may be written; else null. */
  take(nowMs: number): number | null {
    const second = Math.floor(nowMs / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#written = 0
    }
    if (this.#written >= LINES_A_SECOND) {
      this.#left += 1
      return null
    }
    this.#written += 1
    const left = this.#left
    this.#left = 0
    return left
  }
}
