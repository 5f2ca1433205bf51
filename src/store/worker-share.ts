// How much of its usual work a worker should get: all of it, but for a while after it came back (its caches are cold), and
// after it asked for less.

/** What one that came back gets at first, and how long until it gets all. */
const WARM_UP = { from: 0.1, overMs: 30_000 } as const

/**
 * What pressure takes off each time, the least it leaves, and how long until all is back. Requests that were on their way
 * together are answered alike, so what comes within a second is one time.
 */
const RELIEF = { factor: 0.5, least: 0.1, overMs: 15_000, onceMs: 1_000 } as const

/** A share that climbs to 1 in a straight line. */
interface Climb {
  readonly from: number
  readonly atMs: number
}

export interface ShareMemo {
  readonly warmUp: Climb | null
  readonly relief: Climb | null
}

export class WorkerShare {
  #warmUp: Climb | null = null
  #relief: Climb | null = null

  /** It is back: work comes by and by. */
  noteReturn(nowMs: number): void {
    this.#warmUp = { from: WARM_UP.from, atMs: nowMs }
  }

  /** It answered that it has too much to do. */
  notePressure(nowMs: number): void {
    if (this.#relief !== null && Math.abs(nowMs - this.#relief.atMs) < RELIEF.onceMs) return
    const from = Math.max(RELIEF.least, RELIEF.factor * climbed(this.#relief, RELIEF.overMs, nowMs))
    this.#relief = { from, atMs: nowMs }
  }

  /** Above zero up to 1. */
  at(nowMs: number): number {
    if (this.#warmUp === null && this.#relief === null) return 1
    const warm = climbed(this.#warmUp, WARM_UP.overMs, nowMs)
    const relieved = climbed(this.#relief, RELIEF.overMs, nowMs)
    if (warm === 1) this.#warmUp = null
    if (relieved === 1) this.#relief = null
    return warm * relieved
  }

  /** Whether part of it is off for pressure. */
  isRelieved(nowMs: number): boolean {
    return climbed(this.#relief, RELIEF.overMs, nowMs) < 1
  }

  memo(): ShareMemo {
    return { warmUp: this.#warmUp, relief: this.#relief }
  }

  resume({ warmUp, relief }: ShareMemo): void {
    this.#warmUp = warmUp
    this.#relief = relief
  }
}

function climbed(climb: Climb | null, overMs: number, nowMs: number): number {
  if (climb === null) return 1
  // A clock that went back must not take more away than the climb began with.
  const part = Math.min(1, Math.max(0, (nowMs - climb.atMs) / overMs))
  return climb.from + (1 - climb.from) * part
}
