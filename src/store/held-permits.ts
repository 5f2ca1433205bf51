// Permits that this process or isolate holds: each is for one request to one worker whose breaker is half open.

import type { HeldPermit, ProbePermit } from './fleet-store.ts'
import { IN_USE_MS, START_WITHIN_MS } from './permit-book.ts'

interface Held extends ProbePermit {
  /** Whether a request has been decided on it that has not begun yet. */
  isReserved: boolean
  /** When it stops to be ours: to begin with it, or, once in use, to speak of it. */
  untilMs: number
  isInUse: boolean
}

export class HeldPermits {
  readonly #now: () => number
  readonly #held = new Map<number, Held>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Takes in permits that were asked for at `askedAtMs`. */
  accept(permits: readonly ProbePermit[], askedAtMs: number): void {
    for (const { id, workerId } of permits) {
      this.#held.set(id, { id, workerId, untilMs: askedAtMs + START_WITHIN_MS, isInUse: false, isReserved: false })
    }
  }

  isEmpty(): boolean {
    return this.#held.size === 0
  }

  /** Whether a request may be decided to go to this worker. */
  has(workerId: string): boolean {
    return this.#held.size > 0 && this.#find(workerId, false) !== undefined
  }

  /** Keeps a permit for the request that was decided to go there, so that no other is decided on it meanwhile. */
  reserve(workerId: string): void {
    const permit = this.#find(workerId, false)
    if (permit !== undefined) permit.isReserved = true
  }

  /** Uses the permit that was reserved for this worker; null when there is none. */
  take(workerId: string): ProbePermit | null {
    const permit = this.#held.size === 0 ? undefined : this.#find(workerId, true)
    if (permit === undefined) return null
    permit.isInUse = true
    permit.untilMs = this.#now() + IN_USE_MS
    return permit
  }

  /** Its request still waits for the first byte. One that gets bytes says enough: others may be tried beside it. */
  renew({ id }: ProbePermit): void {
    const permit = this.#held.get(id)
    if (permit !== undefined) permit.untilMs = this.#now() + IN_USE_MS
  }

  giveBack({ id }: ProbePermit): void {
    this.#held.delete(id)
  }

  list(): readonly HeldPermit[] {
    this.#dropOld()
    return Array.from(this.#held.values(), ({ id, workerId, isInUse }) => ({ id, workerId, isInUse }))
  }

  #find(workerId: string, isReserved: boolean): Held | undefined {
    this.#dropOld()
    for (const permit of this.#held.values()) {
      if (permit.workerId === workerId && !permit.isInUse && permit.isReserved === isReserved) return permit
    }
    return undefined
  }

  #dropOld(): void {
    const nowMs = this.#now()
    for (const [id, { untilMs }] of this.#held) if (nowMs > untilMs) this.#held.delete(id)
  }
}
