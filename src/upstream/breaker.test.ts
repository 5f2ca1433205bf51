import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Breaker, type BreakerPermit, createBreaker, FAILURES_TO_OPEN, OPEN_MS } from './breaker.ts'

function openBench() {
  let nowMs = 1_000
  const breaker = createBreaker({ now: () => nowMs })
  return { breaker, pass: (ms: number) => void (nowMs += ms) }
}

function enter(breaker: Breaker): BreakerPermit {
  const permit = breaker.enter()
  if (permit === null) throw new Error('the breaker let nothing through')
  return permit
}

function fail(breaker: Breaker, times: number): void {
  for (let count = 0; count < times; count++) enter(breaker).failed()
}

describe('breaker', () => {
  test('stays closed below the limit, and a success starts the count again', () => {
    const { breaker } = openBench()
    for (let round = 0; round < 3; round++) {
      fail(breaker, FAILURES_TO_OPEN - 1)
      expect(breaker.state()).toBe('closed')
      enter(breaker).succeeded()
    }
  })

  test('opens after failures in a row, for its time and no longer', () => {
    const { breaker, pass } = openBench()
    fail(breaker, FAILURES_TO_OPEN)
    expect(breaker.state()).toBe('open')
    expect(breaker.enter()).toBeNull()
    pass(OPEN_MS - 1)
    expect(breaker.enter()).toBeNull()
    pass(1)
    expect(breaker.state()).toBe('half_open')
    expect(breaker.enter()).not.toBeNull()
  })

  test('lets one probe through; its success closes', () => {
    const { breaker, pass } = openBench()
    fail(breaker, FAILURES_TO_OPEN)
    pass(OPEN_MS)
    const probe = enter(breaker)
    expect(breaker.enter()).toBeNull()
    probe.succeeded()
    expect(breaker.state()).toBe('closed')
    fail(breaker, FAILURES_TO_OPEN - 1)
    expect(breaker.state()).toBe('closed')
  })

  test("a probe's failure opens it again for the whole time", () => {
    const { breaker, pass } = openBench()
    fail(breaker, FAILURES_TO_OPEN)
    pass(OPEN_MS)
    const probe = enter(breaker)
    pass(200)
    probe.failed()
    pass(OPEN_MS - 1)
    expect(breaker.enter()).toBeNull()
    pass(1)
    enter(breaker).succeeded()
    expect(breaker.state()).toBe('closed')
  })

  test('a probe that is called off lets the next one through at once', () => {
    const { breaker, pass } = openBench()
    fail(breaker, FAILURES_TO_OPEN)
    pass(OPEN_MS)
    enter(breaker).calledOff()
    expect(breaker.state()).toBe('half_open')
    enter(breaker).succeeded()
    expect(breaker.state()).toBe('closed')
  })

  test('a probe that never reports keeps others out for the open time, then is forgotten', () => {
    const { breaker, pass } = openBench()
    fail(breaker, FAILURES_TO_OPEN)
    pass(OPEN_MS)
    const lost = enter(breaker)
    expect(breaker.enter()).toBeNull()
    pass(OPEN_MS)
    const next = enter(breaker)
    lost.succeeded()
    expect(breaker.enter()).toBeNull()
    next.succeeded()
    expect(breaker.state()).toBe('closed')
  })

  test('calls let through before it opened say nothing afterwards', () => {
    const { breaker, pass } = openBench()
    const slow = [enter(breaker), enter(breaker)] as const
    fail(breaker, FAILURES_TO_OPEN)
    slow[0].succeeded()
    expect(breaker.state()).toBe('open')
    pass(OPEN_MS - 1)
    slow[1].failed()
    pass(1)
    expect(breaker.state()).toBe('half_open')
  })

  test('only the first report of a call counts', () => {
    const { breaker } = openBench()
    for (let count = 0; count < FAILURES_TO_OPEN - 1; count++) {
      const permit = enter(breaker)
      permit.failed()
      permit.failed()
    }
    expect(breaker.state()).toBe('closed')
  })

  test('a call that is called off is neither failure nor success', () => {
    const { breaker } = openBench()
    fail(breaker, FAILURES_TO_OPEN - 1)
    enter(breaker).calledOff()
    expect(breaker.state()).toBe('closed')
    fail(breaker, 1)
    expect(breaker.state()).toBe('open')
  })

  test('whatever happens, a dead service is called at most once per open time once it is known dead', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { minLength: 50, maxLength: 300 }), (pauses) => {
        const { breaker, pass } = openBench()
        let calls = 0
        let elapsedMs = 0
        for (const pause of pauses) {
          const permit = breaker.enter()
          if (permit !== null) {
            calls += 1
            permit.failed()
          }
          pass(pause)
          elapsedMs += pause
        }
        expect(calls).toBeLessThanOrEqual(FAILURES_TO_OPEN + Math.floor(elapsedMs / OPEN_MS))
      }),
    )
  })
})
