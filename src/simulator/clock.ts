// Time as the simulator sees it: a clock that also runs things later. Owns the virtual clock, in which an hour of
// traffic takes as long as its arithmetic; the clock of the wall belongs to a runtime.

/** What the engine needs to know of time. `after` returns a function that cancels, and is harmless when too late. */
export interface Clock {
  /** Milliseconds, with a fraction. */
  now(): number
  after(ms: number, run: () => void): () => void
}

interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | null
}

/** A clock that moves only when told to. Timers due at the same instant run in the order they were set. */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  readonly #heap: Timer[] = []

  constructor(startMs = 0) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#push(timer)
    return () => {
      timer.run = null
    }
  }

  /** Runs everything due within `ms`, then stands at exactly that time. */
  advance(ms: number): void {
    const end = this.#now + ms
    while (this.#runNext(end));
    this.#now = end
  }

  /** Runs until no timer is left; the clock then stands at the last one. */
  runAll(): void {
    while (this.#runNext(Infinity));
  }

  #runNext(end: number): boolean {
    const timer = this.#heap[0]
    if (timer === undefined || timer.at > end) return false
    this.#pop()
    if (timer.run !== null) {
      this.#now = timer.at
      timer.run()
    }
    return true
  }

  // A binary heap: a trace replay sets millions of timers, and a sorted array would make each one linear.
  #push(timer: Timer): void {
    const heap = this.#heap
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]
      if (parent === undefined || isBefore(parent, timer)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const useRight = right !== undefined && left !== undefined && isBefore(right, left)
      const child = useRight ? right : left
      if (child === undefined || isBefore(last, child)) break
      heap[index] = child
      index = 2 * index + (useRight ? 2 : 1)
    }
    heap[index] = last
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}
