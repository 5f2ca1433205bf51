// The timers of a server. Short ones are the runtime's own. Long ones are limits of time, of which every request has a few and
// nearly all are called off: they share one timer of the runtime, and cost an entry in a set.

/** A timer of the runtime's own that is running. It keeps the process alive, or not, where that can be said of it. */
export interface RuntimeTimer {
  ref?(): unknown
  unref?(): unknown
}

export interface RuntimeClock {
  /** Milliseconds that only go up, whatever becomes of the time of day. */
  now(): number
  start(delayMs: number, task: () => void): RuntimeTimer
  stop(timer: RuntimeTimer): void
}

/** Below this a timer is a wait rather than a limit, and comes when it was asked for. */
const EXACT_BELOW_MS = 1_000

/** Beyond this a runtime's timers come at once. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** A long timer comes late by at most this share of its delay. */
const LATE_SHARE = 1 / 32

const NEVER_MS = Number.POSITIVE_INFINITY

/** What `Platform.after` promises, over a runtime's timers. The clock is the process's own unless another is given. */
export function createTimers(clock: RuntimeClock = PROCESS_CLOCK): (delayMs: number, task: () => void) => () => void {
  const limits = new SharedTimer(clock)
  return function after(delayMs, task) {
    if (delayMs >= EXACT_BELOW_MS && delayMs <= MAX_DELAY_MS) return limits.after(delayMs, task)
    const timer = clock.start(delayMs, task)
    return () => clock.stop(timer)
  }
}

interface Entry {
  readonly task: () => void
}

/**
 * Timers by when they are due, rounded up, so that those of about the same time are looked for together. A slot that has
 * become empty stays until its time: under load the next request needs it again.
 */
class SharedTimer {
  readonly #clock: RuntimeClock
  readonly #slots = new Map<number, Set<Entry>>()
  #waiting = 0
  #timer: RuntimeTimer | null = null
  #wakesAtMs = NEVER_MS

  constructor(clock: RuntimeClock) {
    this.#clock = clock
  }

  after(delayMs: number, task: () => void): () => void {
    const entry = { task }
    const dueAtMs = roundUp(this.#clock.now() + delayMs, delayMs)
    const slot = this.#slotAt(dueAtMs)
    slot.add(entry)
    if (dueAtMs < this.#wakesAtMs) this.#arm(dueAtMs)
    // It keeps the process alive as long as somebody waits, as each timer of its own would.
    if ((this.#waiting += 1) === 1) this.#timer?.ref?.()
    return () => {
      if (slot.delete(entry) && (this.#waiting -= 1) === 0) this.#timer?.unref?.()
    }
  }

  #slotAt(dueAtMs: number): Set<Entry> {
    const known = this.#slots.get(dueAtMs)
    if (known !== undefined) return known
    const slot = new Set<Entry>()
    this.#slots.set(dueAtMs, slot)
    return slot
  }

  #arm(wakesAtMs: number): void {
    if (this.#timer !== null) this.#clock.stop(this.#timer)
    this.#wakesAtMs = wakesAtMs
    // Whole milliseconds: a runtime that cuts off the rest comes too early, and again and again until it is time.
    const delayMs = Math.max(0, Math.ceil(wakesAtMs - this.#clock.now()))
    // Rounding up can go beyond what a timer can wait; it then looks once more.
    this.#timer = this.#clock.start(Math.min(delayMs, MAX_DELAY_MS), () => this.#wake())
  }

  #wake(): void {
    this.#timer = null
    this.#wakesAtMs = NEVER_MS
    try {
      this.#runDue(this.#clock.now())
    } finally {
      // A task that threw leaves the rest of its slot to the next wake.
      this.#armNext()
    }
  }

  #runDue(nowMs: number): void {
    for (const [dueAtMs, slot] of this.#slots) {
      if (dueAtMs > nowMs) continue
      for (const entry of slot) {
        slot.delete(entry)
        this.#waiting -= 1
        entry.task()
      }
      this.#slots.delete(dueAtMs)
    }
  }

  /** Nobody waiting, no timer: the slots that are left are empty. */
  #armNext(): void {
    if (this.#waiting === 0) {
      this.#slots.clear()
      return
    }
    let nextMs = NEVER_MS
    for (const [dueAtMs, slot] of this.#slots) if (slot.size > 0) nextMs = Math.min(nextMs, dueAtMs)
    if (nextMs < this.#wakesAtMs) this.#arm(nextMs)
  }
}

/** To a multiple of a power of two, so that the slots of many different delays coincide. */
function roundUp(dueAtMs: number, delayMs: number): number {
  const stepMs = 2 ** Math.floor(Math.log2(delayMs * LATE_SHARE))
  return Math.ceil(dueAtMs / stepMs) * stepMs
}

const PROCESS_CLOCK: RuntimeClock = {
  now: () => performance.now(),
  // A number, as the web declares, of which nothing can be said (Deno before 2.8), or an object.
  start: (delayMs, task) => setTimeout(task, delayMs) as unknown as RuntimeTimer,
  stop: (timer) => clearTimeout(timer as unknown as ReturnType<typeof setTimeout>),
}
