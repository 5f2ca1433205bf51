// What operators say to a process of a fleet over Redis: tried until a leader has carried it out, and kept for the next one
// where there is no Redis to reach it by.

import { carryOut, type Order } from './led-state.ts'
import type { MemoryFleetStore } from './memory.ts'

/** How long an operator waits for a new leader. */
const ORDER_MS = 8_000
const ORDER_RETRY_MS = 250

export type GiveOrder = (workerId: string, order: Order) => Promise<void>

export interface FleetOrdersOptions {
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** Has the leader carry it out, whoever that is by then. */
  readonly give: GiveOrder
  /** Whether this process goes on by itself. */
  isCutOff(): boolean
  /** The state of a process that goes on by itself. */
  ownState(): MemoryFleetStore
}

export class FleetOrders {
  readonly #options: FleetOrdersOptions
  /** What was said while there was no Redis: the last word on each worker. */
  readonly #waiting = new Map<string, Order>()

  constructor(options: FleetOrdersOptions) {
    this.#options = options
  }

  /** Carried out by the leader, or here where no Redis can be reached. */
  async place(workerId: string, order: Order): Promise<void> {
    const { now, after, give, isCutOff, ownState } = this.#options
    const untilMs = now() + ORDER_MS
    for (;;) {
      try {
        return await give(workerId, order)
      } catch (cause) {
        if (isCutOff()) break
        if (now() >= untilMs) throw cause
        await new Promise<void>((resolve) => after(ORDER_RETRY_MS, resolve))
      }
    }
    this.#waiting.set(workerId, order)
    await carryOut(ownState(), workerId, order)
  }

  /** Gives those that wait, one after the other, to somebody who can carry them out. */
  async giveWaiting(give: GiveOrder): Promise<void> {
    for (const [workerId, order] of this.#waiting) {
      await give(workerId, order)
      // Another word on the worker may have come meanwhile.
      if (this.#waiting.get(workerId) === order) this.#waiting.delete(workerId)
    }
  }
}
