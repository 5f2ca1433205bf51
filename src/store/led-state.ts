// The state of a fleet in the process that holds it, because it leads or is alone; and what of it is written down in Redis
// for the next leader.

import type { FleetQuestion } from './fleet-bus.ts'
import type { KeptWorker } from './fleet-health.ts'
import type { Seat } from './leader-lock.ts'
import type { MemoryFleetStore } from './memory.ts'
import { completeReport } from './older-versions.ts'
import { ProcessBook } from './process-book.ts'
import type { Leading, RedisKept } from './redis-kept.ts'
import type { RedisLink } from './redis-link.ts'

/**
 * How long until a drain with nothing in flight is over: two seconds that a process may decide on an older copy, five until
 * the timer of a request begun then tells of it, and one for the calls.
 */
export const SHARED_DRAIN_SETTLE_MS = 8_000

export interface OpenRoot {
  readonly kept: readonly KeptWorker[]
  /** Whether it is for this process to ask the workers. */
  mayProbe(): Promise<boolean>
}

/** What an operator wants of a worker. */
export type Order = { readonly op: 'undrain' } | { readonly op: 'drain'; readonly deadlineMs: number }

/** What a leader says to a purge; one of an older version says nothing. */
export const PURGE_HEARD = 'heard'

export interface LedStateOptions {
  readonly link: RedisLink
  readonly keyPrefix: string
  readonly kept: RedisKept
  /** Makes the state of the fleet, which begins to probe where `mayProbe` says so. */
  openRoot(root: OpenRoot): MemoryFleetStore
  mayProbe(): Promise<boolean>
}

export class LedState {
  readonly #options: LedStateOptions
  readonly #processes: ProcessBook
  #root: MemoryFleetStore | null = null

  constructor(options: LedStateOptions) {
    this.#options = options
    this.#processes = new ProcessBook(options.link, options.keyPrefix)
  }

  /** Null where this process does not hold the state. */
  get opened(): MemoryFleetStore | null {
    return this.#root
  }

  open(): MemoryFleetStore {
    const { openRoot, kept, mayProbe } = this.#options
    this.#root ??= openRoot({ kept: kept.list(), mayProbe })
    return this.#root
  }

  close(): void {
    this.#root?.close()
    this.#root = null
  }

  /** Brings together what is kept and what is known here, and has all of it written down. */
  async takeOver(seat: Seat): Promise<void> {
    const { kept } = this.#options
    if (this.#root === null) await kept.catchUp(seat.keptVersion)
    else kept.note(this.#root.takeChanges())
    kept.noteAll()
    await this.#write(seat)
  }

  /** What another process asks of the leader. */
  async answer(question: FleetQuestion, from: string, leading: Leading): Promise<unknown> {
    switch (question.op) {
      case 'hello':
        await this.open().whenAsked()
        return null
      case 'sync':
        this.#processes.note(from, question.report.holder)
        return this.open().sync(completeReport(question.report))
      case 'drain':
      case 'undrain':
        await this.carryOut(question.workerId, question, leading)
        return null
      case 'purge':
        await this.open().announcePurge(question.scope)
        return PURGE_HEARD
    }
  }

  /** What a leader does again and again: writes down what has changed, and forgets what ran in processes that have died. */
  async tend(leading: Leading): Promise<void> {
    const root = this.open()
    await this.#keep(leading)
    for (const holder of await this.#processes.takeDead()) root.forgetHolder(holder)
  }

  /** Done once it is written down. */
  async carryOut(workerId: string, order: Order, leading: Leading): Promise<void> {
    await carryOut(this.open(), workerId, order)
    await this.#keep(leading)
  }

  /** Writes down what has changed, and what could not be written before. */
  async #keep(leading: Leading): Promise<void> {
    this.#options.kept.note(this.open().takeChanges())
    await this.#write(leading)
  }

  async #write(leading: Leading): Promise<void> {
    if (!(await this.#options.kept.write(leading))) throw new Error('another process leads the fleet by now')
  }
}

export async function carryOut(root: MemoryFleetStore, workerId: string, order: Order): Promise<void> {
  if (order.op === 'drain') await root.drain(workerId, order.deadlineMs)
  else await root.undrain(workerId)
}
