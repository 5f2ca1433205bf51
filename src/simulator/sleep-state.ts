// Whether a worker sleeps: its engines stand still until everything that was put away is back.

const PARTS = ['weights', 'kv_cache'] as const

export class SleepState {
  readonly #away = new Set<string>()
  readonly #listeners = new Set<() => void>()

  get isAsleep(): boolean {
    return this.#away.size > 0
  }

  sleep(): void {
    for (const part of PARTS) this.#away.add(part)
    this.#tell()
  }

  /** Brings back the parts named; all of them when none is. */
  wake(parts: readonly string[]): void {
    for (const part of parts.length === 0 ? PARTS : parts) this.#away.delete(part)
    this.#tell()
  }

  /** Calls back after every change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
