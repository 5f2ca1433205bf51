// Marks of purges in the memory of a process or isolate, and the epochs they make.

import { epochOf, MAX_MARKS, markOf, marksOf, type Partition } from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'

export class PurgeMarks {
  readonly #marks = new Map<string, string>()
  #purges = 0

  epochOf(partition: Partition): string {
    return epochOf(marksOf(partition).map((mark) => this.#marks.get(mark)))
  }

  /** Does nothing for a scope without a mark. */
  set(scope: PurgeScope): void {
    const mark = markOf(scope)
    if (mark === null) return
    this.#purges += 1
    const isFull = this.#marks.size >= MAX_MARKS
    if (isFull) this.#marks.clear()
    this.#marks.set(isFull ? 'all' : mark, String(this.#purges))
  }
}
