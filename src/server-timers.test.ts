import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../test/support/fake-clock.ts'
import { createTimers, type RuntimeTimer } from './server-timers.ts'

interface FakeTimer extends RuntimeTimer {
  holdsProcess: boolean
  callOff(): void
}

/** The runtime's own timers, on a clock that a test moves. Counts how many were started. */
function rig() {
  const clock = createFakeClock(0)
  let started = 0
  const running = new Set<FakeTimer>()
  const after = createTimers({
    now: clock.now,
    start(delayMs, task) {
      started += 1
      const timer: FakeTimer = {
        holdsProcess: true,
        ref: () => (timer.holdsProcess = true),
        unref: () => (timer.holdsProcess = false),
        // Beyond 32 bits, runtimes have it come at once.
        callOff: clock.after(delayMs < 2 ** 31 ? delayMs : 1, () => {
          running.delete(timer)
          task()
        }),
      }
      running.add(timer)
      return timer
    },
    stop(timer) {
      const own = timer as FakeTimer
      own.callOff()
      running.delete(own)
    },
  })
  return {
    after,
    now: clock.now,
    started: () => started,
    running: () => running.size,
    holdsProcess: () => [...running].some((timer) => timer.holdsProcess),
    advance: clock.advance,
  }
}

describe('timers of a server', () => {
  test.each([0, 1, 250, 999])("one of %i ms is exact, and the runtime's own", (delayMs) => {
    const { after, advance, now, running } = rig()
    let firedAtMs = -1
    after(delayMs, () => (firedAtMs = now()))
    expect(running()).toBe(1)
    advance(5_000)
    expect([firedAtMs, running()]).toEqual([delayMs, 0])
  })

  test.each([1_000, 1_001, 4_999, 5_000, 60_000, 600_000, 7_200_000, 2_000_000_000])(
    'one of %i ms is never early, and late by a small share only, whenever it starts',
    (delayMs) => {
      const { after, advance, now } = rig()
      for (const startMs of [0, 0.4, 777.7, 12_345]) {
        advance(startMs)
        const fromMs = now()
        let firedAtMs = -1
        after(delayMs, () => (firedAtMs = now()))
        advance(delayMs * 1.1)
        expect(firedAtMs - fromMs).toBeGreaterThanOrEqual(delayMs)
        expect(firedAtMs - fromMs).toBeLessThanOrEqual(delayMs * (1 + 1 / 32))
      }
    },
  )

  test('long ones of a thousand requests share one timer of the runtime', () => {
    const { after, advance, started, running } = rig()
    for (let request = 0; request < 1_000; request += 1) {
      const callOff = after(5_000, () => expect.unreachable('it was called off'))
      after(60_000, () => expect.unreachable('it was called off'))()
      advance(1)
      callOff()
    }
    expect(running()).toBe(1)
    expect(started()).toBeLessThan(5)
  })

  test('the longest does not wake the process before its time', () => {
    const { after, advance, started } = rig()
    let fired = 0
    after(2 ** 31 - 1, () => (fired += 1))
    advance(2_000)
    expect([fired, started()]).toEqual([0, 1])
    advance(2 ** 31 * 1.1)
    expect(fired).toBe(1)
    expect(started()).toBeLessThan(5)
  })

  test('a sooner one comes at its own time, before those that were there', () => {
    const { after, advance } = rig()
    const fired: string[] = []
    after(60_000, () => fired.push('late'))
    after(2_000, () => fired.push('soon'))
    after(5_000, () => fired.push('middle'))
    advance(2_100)
    expect(fired).toEqual(['soon'])
    advance(60_000)
    expect(fired).toEqual(['soon', 'middle', 'late'])
  })

  test('one that falls where another was called off comes at its time, though a later one waits', () => {
    const { after, advance } = rig()
    const fired: string[] = []
    after(60_000, () => fired.push('late'))
    after(5_000, () => fired.push('called off'))()
    after(2_000, () => fired.push('soon'))
    advance(2_016)
    // Between 5,116 and 5,120 ms, as that of 5,000 ms.
    after(3_100, () => fired.push('there again'))
    advance(3_200)
    expect(fired).toEqual(['soon', 'there again'])
  })

  test('the process is kept alive while somebody waits, and no longer', () => {
    const { after, advance, holdsProcess, running } = rig()
    const first = after(5_000, () => {})
    const second = after(5_000, () => {})
    expect(holdsProcess()).toBe(true)
    first()
    expect(holdsProcess()).toBe(true)
    second()
    expect(holdsProcess()).toBe(false)
    after(5_000, () => {})
    expect(holdsProcess()).toBe(true)
    advance(6_000)
    expect([holdsProcess(), running()]).toEqual([false, 0])
  })

  test('with nobody left to wait the timer is not started again', () => {
    const { after, advance, running, started } = rig()
    after(5_000, () => {})()
    advance(6_000)
    expect([running(), started()]).toEqual([0, 1])
  })

  test('timers may be mere numbers', () => {
    const tasks: (() => void)[] = []
    let nowMs = 0
    // As the web has them; the declaration of the runtimes' objects does not fit.
    const start = (_: number, task: () => void) => tasks.push(task) as unknown as RuntimeTimer
    const after = createTimers({ now: () => nowMs, start, stop: () => {} })
    let fired = 0
    after(5_000, () => (fired += 1))()
    after(6_000, () => (fired += 1))
    nowMs = 6_200
    for (const task of tasks) task()
    expect(fired).toBe(1)
  })

  test('calling off counts once, and not after it came', () => {
    const { after, advance, holdsProcess } = rig()
    let fired = 0
    const callOff = after(1_000, () => (fired += 1))
    advance(2_000)
    callOff()
    const other = after(1_000, () => (fired += 1))
    after(1_000, () => (fired += 1))
    other()
    other()
    callOff()
    expect(holdsProcess()).toBe(true)
    advance(2_000)
    expect(fired).toBe(2)
  })

  test('one that starts another, calls off its neighbour or fails does not keep the rest from coming', () => {
    const { after, advance } = rig()
    const fired: string[] = []
    after(3_000, () => {
      fired.push('first')
      neighbour()
      after(1_000, () => fired.push('another'))
      throw new Error('made up')
    })
    const neighbour = after(3_000, () => fired.push('neighbour'))
    after(3_000, () => fired.push('last'))
    expect(() => advance(3_100)).toThrow('made up')
    advance(3_000)
    expect(fired).toEqual(['first', 'last', 'another'])
  })
})

test('the process has timers of its own behind it', async () => {
  const after = createTimers()
  await new Promise<void>((resolve) => after(1, resolve))
  const callOff = after(3_600_000, () => {})
  callOff()
})
