// The clock of one attempt: a single timer that watches first byte, idle and total time, and ticks while a request
// lives so that its lease can be renewed.

import type { Timeouts } from '../config/config.ts'
import type { LeaseActivity } from '../store/lease-book.ts'

export type TimeoutKind = 'first_byte' | 'idle' | 'total'

export interface DeadlineClock {
  now(): number
  after(delayMs: number, task: () => void): () => void
}

export interface Deadline {
  /** A byte of the answer's body arrived. Cheap: it only notes the time. */
  touch(): void
  /**
   * Says whether somebody waits for the worker. A client that reads slowly keeps the worker waiting, and that is not the
   * worker's silence: until it reads again only `total` counts.
   */
  setWaiting(isWaiting: boolean): void
  /** Stops watching; safe to call more than once. */
  stop(): void
}

/** The longest sleep of the timer, so that `onTick` comes at least this often. */
export const TICK_MS = 5_000

export interface DeadlineOptions {
  readonly clock: DeadlineClock
  readonly timeouts: Timeouts
  /** Kept up to date here, for whoever wants to know what the worker did lately. */
  readonly activity: LeaseActivity
  /** Called once, when a limit has passed; watching has stopped by then. */
  onExpire(kind: TimeoutKind): void
  /** Called while the attempt lives. */
  onTick(): void
}

/**
 * Starts watching. The timer is not re-armed for each chunk: it sleeps until the earliest limit that could pass, then
 * looks at the time of the last byte, so a stream of many chunks costs a store per chunk and a timer per idle period.
 */
export function startDeadline({ clock, timeouts, activity, onExpire, onTick }: DeadlineOptions): Deadline {
  const startedAtMs = clock.now()
  const idleMs = timeouts.idleMs ?? Number.POSITIVE_INFINITY
  let callOff: (() => void) | null = null
  let armedForMs = Number.POSITIVE_INFINITY

  function dueAt(): { readonly kind: TimeoutKind; readonly atMs: number } {
    const total = { kind: 'total' as const, atMs: startedAtMs + (timeouts.totalMs ?? Number.POSITIVE_INFINITY) }
    if (!activity.isWaiting) return total
    const { lastByteAtMs } = activity
    const progress =
      lastByteAtMs === null
        ? { kind: 'first_byte' as const, atMs: startedAtMs + (timeouts.firstByteMs ?? Number.POSITIVE_INFINITY) }
        : { kind: 'idle' as const, atMs: lastByteAtMs + idleMs }
    return progress.atMs <= total.atMs ? progress : total
  }

  function check(): void {
    const nowMs = clock.now()
    const due = dueAt()
    if (nowMs >= due.atMs) {
      callOff = null
      onExpire(due.kind)
      return
    }
    onTick()
    arm(due.atMs, nowMs)
  }

  function arm(dueAtMs: number, nowMs: number): void {
    armedForMs = Math.min(dueAtMs, nowMs + TICK_MS)
    callOff = clock.after(armedForMs - nowMs, check)
  }

  arm(dueAt().atMs, startedAtMs)
  return {
    touch() {
      activity.lastByteAtMs = clock.now()
    },
    setWaiting(next) {
      const hasWaited = activity.isWaiting
      activity.isWaiting = next
      // Of a client that stops to read only `total` is left, which the timer knows.
      if (!next || hasWaited) return
      const nowMs = clock.now()
      if (activity.lastByteAtMs !== null) {
        // The wait begins now, however long ago the last byte came.
        activity.lastByteAtMs = nowMs
        // Nearly every chunk of a stream ends here: the timer comes before this limit could pass.
        if (nowMs + idleMs >= armedForMs) return
      }
      const dueAtMs = dueAt().atMs
      if (callOff === null || dueAtMs >= armedForMs) return
      // The timer was set while nobody waited, for longer than this limit allows.
      callOff()
      arm(dueAtMs, nowMs)
    },
    stop() {
      callOff?.()
      callOff = null
    },
  }
}
