// A slow client is not a silent worker: `idle` counts only while somebody waits for the worker.

import { describe, expect, test } from 'vitest'
import { type Deadline, startDeadline, type TimeoutKind } from './deadline.ts'

interface Rig {
  readonly deadline: Deadline
  readonly expired: readonly TimeoutKind[]
  advance(ms: number): void
}

function rig(): Rig {
  let nowMs = 0
  let timers: { readonly atMs: number; readonly task: () => void }[] = []
  const expired: TimeoutKind[] = []
  const deadline = startDeadline({
    clock: {
      now: () => nowMs,
      after(delayMs, task) {
        const timer = { atMs: nowMs + delayMs, task }
        timers.push(timer)
        return () => {
          timers = timers.filter((other) => other !== timer)
        }
      },
    },
    timeouts: { connectMs: null, firstByteMs: 5_000, idleMs: 300, totalMs: 100_000 },
    activity: { lastByteAtMs: null, isWaiting: true },
    onExpire: (kind) => expired.push(kind),
    onTick: () => {},
  })
  return {
    deadline,
    expired,
    advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        nowMs = next.atMs
        next.task()
      }
      nowMs = untilMs
    },
  }
}

describe('idle', () => {
  test('does not run while the client reads nothing', () => {
    const { deadline, expired, advance } = rig()
    deadline.touch()
    deadline.setWaiting(false)
    advance(60_000)
    expect(expired).toEqual([])
  })

  test('runs from the moment the client reads again', () => {
    const { deadline, expired, advance } = rig()
    deadline.touch()
    deadline.setWaiting(false)
    advance(20_000)
    deadline.setWaiting(true)
    advance(299)
    expect(expired).toEqual([])
    advance(2)
    expect(expired).toEqual(['idle'])
  })

  test('total runs all the while', () => {
    const { deadline, expired, advance } = rig()
    deadline.touch()
    deadline.setWaiting(false)
    advance(100_001)
    expect(expired).toEqual(['total'])
  })
})
