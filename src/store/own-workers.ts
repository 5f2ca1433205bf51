// Workers of this process's configuration that the leader's does not have, as each process follows its own file: looked after
// here until the leader knows them, so that a new configuration can reach one process after the other.

import type { FleetSnapshot, HolderReport } from './fleet-store.ts'
import type { MemoryFleetStore } from './memory.ts'

export interface OwnWorkersOptions {
  /** Ids of the workers that this process routes to. */
  workerIds(): readonly string[]
  /** Makes a state of these workers alone, which begins to probe them. */
  open(workerIds: ReadonlySet<string>): MemoryFleetStore
}

export class OwnWorkers {
  readonly #options: OwnWorkersOptions
  /** Those that the leader has, as last heard; null before. */
  #shared: ReadonlySet<string> | null = null
  #own: ReadonlySet<string> = new Set()
  #state: MemoryFleetStore | null = null

  constructor(options: OwnWorkersOptions) {
    this.#options = options
  }

  /** The leader's snapshot, with what is known here of workers that are not in it. */
  async join(snapshot: FleetSnapshot, report: HolderReport): Promise<FleetSnapshot> {
    this.#shared = new Set(snapshot.workers.map(({ workerId }) => workerId))
    const state = this.#current()
    if (state === null) return snapshot
    const own = await state.sync(report)
    return {
      ...snapshot,
      workers: [...snapshot.workers, ...own.workers],
      permits: [...snapshot.permits, ...own.permits],
    }
  }

  /** The state that has a worker which only this process has; null for every other. */
  stateOf(workerId: string): MemoryFleetStore | null {
    return this.#own.has(workerId) ? this.#state : null
  }

  /** The configuration has changed. Resolves when workers that only this process has have been asked. */
  async catchUp(): Promise<void> {
    const state = this.#current()
    if (state !== null) await state.whenAsked()
  }

  close(): void {
    this.#state?.close()
    this.#state = null
    this.#own = new Set()
  }

  #current(): MemoryFleetStore | null {
    const shared = this.#shared
    const own = shared === null ? [] : this.#options.workerIds().filter((id) => !shared.has(id))
    if (own.length === this.#own.size && own.every((id) => this.#own.has(id))) return this.#state
    this.close()
    if (own.length === 0) return null
    this.#own = new Set(own)
    this.#state = this.#options.open(this.#own)
    return this.#state
  }
}
