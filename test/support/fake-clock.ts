// A clock that stands still until a test moves it, with the timers that hang on it.

export interface FakeClock {
  now(): number
  after(delayMs: number, task: () => void): () => void
  /** Moves on, and runs what has become due, in order. */
  advance(ms: number): void
  /** Timers that wait. */
  pending(): number
}

export function createFakeClock(startMs = Date.parse('2026-08-01T09:30:00.000Z')): FakeClock {
  let nowMs = startMs
  const timers = new Set<{ readonly atMs: number; readonly task: () => void }>()
  return {
    now: () => nowMs,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((one, other) => one.atMs - other.atMs)
        if (next === undefined) break
        timers.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.task()
      }
      nowMs = untilMs
    },
    pending: () => timers.size,
  }
}
