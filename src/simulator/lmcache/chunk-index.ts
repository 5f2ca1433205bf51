// What a controller knows of who holds which chunk. Says what it was told, which is not always so.

import type { CacheReport } from './report-schema.ts'

/** One rank of an instance, as it registered. */
export interface KnownWorker {
  readonly instanceId: string
  readonly workerId: number
  readonly ip: string
  readonly port: number
  readonly registeredAtMs: number
  lastHeardAtMs: number
  readonly keys: Set<number>
}

export class ChunkIndex {
  // In the order of registration, which is the order in which a lookup asks.
  readonly #workers = new Map<string, KnownWorker>()
  readonly #ignoresEvictions: boolean

  constructor({ ignoresEvictions = false }: { readonly ignoresEvictions?: boolean } = {}) {
    this.#ignoresEvictions = ignoresEvictions
  }

  /** Whether the worker was known before. */
  touch({ instance_id: instanceId, worker_id: workerId, ip, port }: CacheReport, nowMs: number): boolean {
    const id = idOf(instanceId, workerId)
    const known = this.#workers.get(id)
    if (known !== undefined) {
      known.lastHeardAtMs = nowMs
      return true
    }
    const keys = new Set<number>()
    this.#workers.set(id, { instanceId, workerId, ip, port, registeredAtMs: nowMs, lastHeardAtMs: nowMs, keys })
    return false
  }

  /** Takes in the events of a report. A worker that has been forgotten meanwhile is passed over. */
  apply({ instance_id: instanceId, worker_id: workerId, stored, evicted, is_snapshot: isSnapshot }: CacheReport): void {
    const worker = this.#workers.get(idOf(instanceId, workerId))
    if (worker === undefined) return
    if (isSnapshot) worker.keys.clear()
    if (!this.#ignoresEvictions) for (const key of evicted) worker.keys.delete(key)
    for (const key of stored) worker.keys.add(key)
  }

  /** The first that is found to hold a chunk; there may be others. */
  firstHolder(key: number): KnownWorker | null {
    for (const worker of this.#workers.values()) if (worker.keys.has(key)) return worker
    return null
  }

  holders(key: number): KnownWorker[] {
    return this.workers().filter(({ keys }) => keys.has(key))
  }

  workers(): KnownWorker[] {
    return [...this.#workers.values()]
  }

  /** A restart: everything is forgotten, workers included. */
  clear(): void {
    this.#workers.clear()
  }
}

function idOf(instanceId: string, workerId: number): string {
  return `${workerId}/${instanceId}`
}
