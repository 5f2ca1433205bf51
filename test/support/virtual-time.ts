// A clock that passes when a test says so, with its timers: what waits for hours is tested in milliseconds.

import type { Platform } from '../../src/platform.ts'

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

export class VirtualTime implements Pick<Platform, 'now' | 'after'> {
  #nowMs = 1_000_000
  readonly #timers = new Set<Timer>()

  readonly now = (): number => this.#nowMs

  readonly after = (delayMs: number, task: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), task }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Resolves after so much time. */
  readonly pause = (ms: number): Promise<void> => new Promise((resolve) => void this.after(ms, resolve))

  /** Lets time pass: timers run when they are due, and what they set going runs before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settled()
    for (let next = this.#nextBy(untilMs); next !== null; next = this.#nextBy(untilMs)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.task()
      await settled()
    }
    this.#nowMs = untilMs
  }

  #nextBy(untilMs: number): Timer | null {
    let next: Timer | null = null
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer
    }
    return next
  }
}

/** Everything that can go on without time passing has gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}
