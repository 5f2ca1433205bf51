// What became of the lines of a log: how many were records, and what was wrong with the others.

import { ReasonCounts } from './counts.ts'
import type { ReplayLines } from './report-schema.ts'

export class LineCounts {
  #read = 0
  #blank = 0
  #unreadable = 0
  readonly #reasons = new ReasonCounts<string>()

  record(): void {
    this.#read += 1
  }

  blank(): void {
    this.#read += 1
    this.#blank += 1
  }

  /** `place` is where the line is, such as `decisions.jsonl:17`. */
  unreadable(why: string, place: string): void {
    this.#read += 1
    this.#unreadable += 1
    this.#reasons.add(why, place)
  }

  toLines(): ReplayLines {
    return {
      read: this.#read,
      blank: this.#blank,
      unreadable: this.#unreadable,
      reasons: this.#reasons.entries().map(({ why, count, detail }) => ({ why, count, first: detail })),
    }
  }
}
