// What a prober remembers of workers between two rounds. All of it can be lost without harm: everything is asked again.

import { equalSettings } from '../secret.ts'
import type { WorkerConfig } from '../config/config.ts'

/** What of one worker is remembered. */
export class KnownWorker {
  readonly #worker: WorkerConfig
  readonly #pausedUntilMs = new Map<string, number>()
  #hasFailed = false
  #oksInRow = 0
  /** Whether it is being asked, or what it answered has not been told yet. */
  isUnderWay = false
  /** When it was last asked; null if never. */
  askedAtMs: number | null = null
  /** Its own list of models; null until it could be read, and again once it has been gone. */
  models: readonly string[] | null = null
  modelsReadAtMs = 0
  /** What it last said; null where it is not served. */
  isAsleep: boolean | null = null

  constructor(worker: WorkerConfig) {
    this.#worker = worker
  }

  /** Whether it is still the same server, asked the same way. */
  isFor({ url, binding, apiKey }: WorkerConfig): boolean {
    return this.#worker.url === url && this.#worker.binding === binding && equalSettings(this.#worker.apiKey, apiKey)
  }

  noteOk(): void {
    this.#oksInRow += 1
  }

  /** It may be another server when it comes back, with other models and other routes. */
  noteFailure(): void {
    this.#hasFailed = true
    this.#oksInRow = 0
    this.models = null
    this.isAsleep = null
    this.#pausedUntilMs.clear()
  }

  /** Whether it answers, what it serves is known, and, after a failure, it has answered often enough in a row. */
  isSettled(successThreshold: number): boolean {
    const isListed = this.models !== null || this.#worker.models !== null
    return isListed && this.#oksInRow >= (this.#hasFailed ? successThreshold : 1)
  }

  /** Leaves a path alone that is not served, or could not be read. */
  pause(path: string, untilMs: number): void {
    this.#pausedUntilMs.set(path, untilMs)
  }

  isPaused(path: string, nowMs: number): boolean {
    return (this.#pausedUntilMs.get(path) ?? 0) > nowMs
  }
}

export class ProbeMemory {
  readonly #known = new Map<string, KnownWorker>()

  /** A worker that has moved, or is asked with another key, is a new one. */
  of(worker: WorkerConfig): KnownWorker {
    const known = this.#known.get(worker.id)
    if (known?.isFor(worker) === true) return known
    const fresh = new KnownWorker(worker)
    this.#known.set(worker.id, fresh)
    return fresh
  }

  /** Forgets workers that have left. */
  keepOnly(workers: readonly WorkerConfig[]): void {
    const ids = new Set(workers.map(({ id }) => id))
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id)
  }
}
