// ReplayStore in memory: a ring for each decision. What a process or isolate remembers is gone with it.

import type { ReplayRecord } from '../capture/replay-record.ts'
import { compareReplays, lengthOf, ReplayPageBuilder } from './replay-page.ts'
import type { ReplayKeeping, ReplayPage, ReplayQuery, ReplayStore } from './replay-store.ts'

interface Kept {
  readonly record: ReplayRecord
  readonly expiresAtMs: number
}

export class MemoryReplayStore implements ReplayStore {
  readonly backend = 'memory'
  readonly #now: () => number
  /** Oldest first, by decision. */
  readonly #rings = new Map<string, Map<string, Kept>>()

  constructor({ now }: { now(): number }) {
    this.#now = now
  }

  async put(namespace: string, records: readonly ReplayRecord[], { maxRecords, ttlMs }: ReplayKeeping): Promise<void> {
    const ring = this.#rings.get(namespace) ?? new Map<string, Kept>()
    this.#rings.set(namespace, ring)
    for (const record of records) {
      ring.delete(record.id)
      ring.set(record.id, { record, expiresAtMs: ttlMs === null ? Infinity : Date.parse(record.timestamp) + ttlMs })
    }
    for (const id of ring.keys()) {
      if (ring.size <= maxRecords) break
      ring.delete(id)
    }
    this.#forgetOldExpired(ring)
  }

  async list(query: ReplayQuery): Promise<ReplayPage> {
    this.#forgetExpired()
    const all = [...this.#rings.values()].flatMap((ring) => Array.from(ring.values(), ({ record }) => record))
    const builder = new ReplayPageBuilder(query)
    for (const record of all.sort(compareReplays)) builder.offer(record, lengthOf(record))
    return builder.page()
  }

  async find(id: string): Promise<ReplayRecord | null> {
    this.#forgetExpired()
    for (const ring of this.#rings.values()) {
      const kept = ring.get(id)
      if (kept !== undefined) return kept.record
    }
    return null
  }

  async close(): Promise<void> {}

  /** As a rule the oldest go first; the rest is seen to when somebody reads. */
  #forgetOldExpired(ring: Map<string, Kept>): void {
    const nowMs = this.#now()
    for (const [id, { expiresAtMs }] of ring) {
      if (expiresAtMs > nowMs) return
      ring.delete(id)
    }
  }

  #forgetExpired(): void {
    const nowMs = this.#now()
    for (const [namespace, ring] of this.#rings) {
      for (const [id, { expiresAtMs }] of ring) if (expiresAtMs <= nowMs) ring.delete(id)
      if (ring.size === 0) this.#rings.delete(namespace)
    }
  }
}
