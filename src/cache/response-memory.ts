// Answers in the memory of a process or isolate, within budgets of bytes and entries; those not used for longest go first.

import { PurgeMarks } from './purge-marks.ts'
import type { LocalResponseStore, Lookup, Partition, StoredAnswer } from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'

/** What an entry takes beside its body. */
export const ENTRY_BYTES = 512

export interface MemoryLimits {
  readonly maxEntries: number
  readonly maxBytes: number
}

export class MemoryResponseStore implements LocalResponseStore {
  readonly backend = 'memory'
  readonly #limits: MemoryLimits
  /** In the order of their last use. */
  readonly #answers = new Map<string, StoredAnswer>()
  readonly #marks = new PurgeMarks()
  #bytes = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
  }

  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#answers.size, bytes: this.#bytes }
  }

  find(key: string, partition: Partition): Lookup {
    const epoch = this.#marks.epochOf(partition)
    const answer = this.#answers.get(key)
    if (answer === undefined) return { answer: null, epoch }
    this.#answers.delete(key)
    if (answer.epoch === epoch) {
      this.#answers.set(key, answer)
      return { answer, epoch }
    }
    this.#bytes -= sizeOfAnswer(answer)
    return { answer: null, epoch }
  }

  /** What was asked for before a purge is not kept, and takes no newer one's place. */
  put(key: string, answer: StoredAnswer): void {
    if (answer.epoch !== this.#marks.epochOf(answer)) return
    this.#remove(key)
    if (sizeOfAnswer(answer) > this.#limits.maxBytes) return
    this.#answers.set(key, answer)
    this.#bytes += sizeOfAnswer(answer)
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#limits.maxBytes && this.#answers.size <= this.#limits.maxEntries) return
      this.#remove(oldest)
    }
  }

  purge(scope: PurgeScope): void {
    if (scope.kind === 'key') return this.#remove(scope.name)
    this.#marks.set(scope)
    if (scope.kind !== 'all') return
    this.#answers.clear()
    this.#bytes = 0
  }

  #remove(key: string): void {
    const answer = this.#answers.get(key)
    if (answer === undefined) return
    this.#answers.delete(key)
    this.#bytes -= sizeOfAnswer(answer)
  }
}

export function sizeOfAnswer({ body, headers, model }: StoredAnswer): number {
  const text = headers.reduce((sum, [name, value]) => sum + name.length + value.length, model.length)
  return ENTRY_BYTES + body.length + 2 * text
}
