// Answers by what was asked, in the memory of a process or isolate, within budgets of bytes and entries; those not used for
// longest go first.

import { PurgeMarks } from './purge-marks.ts'
import { ENTRY_BYTES, type MemoryLimits, sizeOfAnswer } from './response-memory.ts'
import type { PurgeScope } from '../store/purge-log.ts'
import {
  cosineOf,
  type KeptQuestion,
  type LocalSemanticStore,
  type SemanticLookup,
  type SemanticQuery,
} from './semantic-store.ts'

export class MemorySemanticStore implements LocalSemanticStore {
  readonly backend = 'memory'
  readonly #limits: MemoryLimits
  readonly #marks = new PurgeMarks()
  /** By key, in the order of their last use. */
  readonly #kept = new Map<string, KeptQuestion>()
  /** Their keys by partition. */
  readonly #partitions = new Map<string, Set<string>>()
  #bytes = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
  }

  get size(): { readonly entries: number; readonly partitions: number; readonly bytes: number } {
    return { entries: this.#kept.size, partitions: this.#partitions.size, bytes: this.#bytes }
  }

  nearest({ partitionKey, partition, vector, threshold, storedAfterMs }: SemanticQuery): SemanticLookup {
    const epoch = this.#marks.epochOf(partition)
    let nearest: SemanticLookup['nearest'] = null
    for (const key of this.#partitions.get(partitionKey) ?? []) {
      const kept = this.#kept.get(key)
      if (kept === undefined) continue
      const { answer } = kept
      if (answer.epoch !== epoch || answer.storedAtMs <= storedAfterMs) {
        this.#remove(key)
        continue
      }
      const similarity = cosineOf(vector, kept.vector)
      if (similarity === null || similarity < Math.max(threshold, nearest?.similarity ?? -1)) continue
      nearest = { key, answer, similarity }
    }
    if (nearest !== null) this.#touch(nearest.key)
    return { nearest, epoch }
  }

  /** What was asked for before a purge is not kept, and takes no newer one's place. */
  put(kept: KeptQuestion): void {
    if (kept.answer.epoch !== this.#marks.epochOf(kept.answer)) return
    this.#remove(kept.key)
    if (sizeOf(kept) > this.#limits.maxBytes) return
    this.#kept.set(kept.key, kept)
    const keys = this.#partitions.get(kept.partitionKey) ?? new Set()
    this.#partitions.set(kept.partitionKey, keys.add(kept.key))
    this.#bytes += sizeOf(kept)
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limits.maxBytes && this.#kept.size <= this.#limits.maxEntries) return
      this.#remove(oldest)
    }
  }

  purge(scope: PurgeScope): void {
    if (scope.kind === 'key') return this.#remove(scope.name)
    this.#marks.set(scope)
    if (scope.kind !== 'all') return
    this.#kept.clear()
    this.#partitions.clear()
    this.#bytes = 0
  }

  #touch(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#kept.set(key, kept)
  }

  #remove(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#bytes -= sizeOf(kept)
    const keys = this.#partitions.get(kept.partitionKey)
    keys?.delete(key)
    if (keys?.size === 0) this.#partitions.delete(kept.partitionKey)
  }
}

function sizeOf({ answer, vector }: KeptQuestion): number {
  return ENTRY_BYTES + sizeOfAnswer(answer) + vector.byteLength
}
