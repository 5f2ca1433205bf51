// The clock of one attempt: a single timer that watches first byte, idle and total time, and ticks while a request
// lives so that its lease can be renewed.

import type { Timeouts } from '../config/config.ts'

export type TimeoutKind = 'first_byte' | 'idle' | 'total'

export interface DeadlineClock {
  now(): number
  after(delayMs: number, task: () => void): () => void
}

export interface Deadline {
  /** A byte of the answer's body arrived. Cheap: it only notes the time. */
  touch(): void
  /** Stops watching; safe to call more than once. */
  stop(): void
}

/** The longest sleep of the timer, so that `onTick` comes at least this often. */
export const TICK_MS = 15_000

export interface DeadlineOptions {
  readonly clock: DeadlineClock
  readonly timeouts: Timeouts
  /** Called once, when a limit has passed; watching has stopped by then. */
  onExpire(kind: TimeoutKind): void
  /** Called while the attempt lives. */
  onTick(): void
}

/**
 * Starts watching. The timer is not re-armed for each chunk: it sleeps until the earliest limit that could pass, then
 * looks at the time of the last byte, so a stream of many chunks costs a store per chunk and a timer per idle period.
 */
export function startDeadline({ clock, timeouts, onExpire, onTick }: DeadlineOptions): Deadline {
  const startedAtMs = clock.now()
  let lastByteAtMs: number | null = null
  let callOff: (() => void) | null = null

  function dueAt(): { readonly kind: TimeoutKind; readonly atMs: number } {
    const total = { kind: 'total' as const, atMs: startedAtMs + (timeouts.totalMs ?? Number.POSITIVE_INFINITY) }
    const progress =
      lastByteAtMs === null
        ? { kind: 'first_byte' as const, atMs: startedAtMs + (timeouts.firstByteMs ?? Number.POSITIVE_INFINITY) }
        : { kind: 'idle' as const, atMs: lastByteAtMs + (timeouts.idleMs ?? Number.POSITIVE_INFINITY) }
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
    callOff = clock.after(Math.min(due.atMs - nowMs, TICK_MS), check)
  }

  callOff = clock.after(Math.min(dueAt().atMs - startedAtMs, TICK_MS), check)
  return {
    touch() {
      lastByteAtMs = clock.now()
    },
    stop() {
      callOff?.()
      callOff = null
    },
  }
}
