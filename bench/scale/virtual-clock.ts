// A clock in steps of a millisecond, for thousands of timers: what is due runs, and all that follows from it at once, before
// the next step.

export class VirtualClock {
  #nowMs = 1_790_000_000_000
  readonly #due = new Map<number, Set<() => void>>()

  readonly now = (): number => this.#nowMs

  readonly after = (delayMs: number, task: () => void): (() => void) => {
    const atMs = this.#nowMs + Math.max(1, Math.ceil(delayMs))
    const own = () => task()
    const tasks = this.#due.get(atMs) ?? new Set()
    tasks.add(own)
    this.#due.set(atMs, tasks)
    return () => void tasks.delete(own)
  }

  readonly pause = (ms: number): Promise<void> => new Promise((resolve) => void this.after(ms, resolve))

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    while (this.#nowMs < untilMs) {
      this.#nowMs += 1
      const tasks = this.#due.get(this.#nowMs)
      if (tasks === undefined) continue
      this.#due.delete(this.#nowMs)
      for (const task of tasks) task()
      // Promises settle before an immediate runs.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
