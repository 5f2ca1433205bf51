// The breaker of a worker: what opens it, how it finds its way back, and what it never does.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BREAKER, outcomesOf } from '../../test/support/fleet.ts'
import { MAX_OPEN_MS, WorkerBreaker } from './worker-breaker.ts'

function rigOf(config: typeof BREAKER | null = BREAKER) {
  let nowMs = 1_000_000
  const breaker = new WorkerBreaker(config, { epoch: 7 })
  const note = (counts: { oks?: number; faults?: number; faultsInRow?: number; epoch?: number }) =>
    breaker.note(outcomesOf('a', { epoch: breaker.epoch, ...counts }), nowMs)
  return {
    breaker,
    ok: (oks = 1) => note({ oks }),
    fault: (faults = 1) => note({ faults }),
    note,
    phase: () => breaker.phase(nowMs),
    state: () => breaker.state(nowMs),
    trip: () => breaker.trip('no_progress', nowMs),
    advance(ms: number) {
      nowMs += ms
    },
  }
}

describe('opens', () => {
  test('with the configured number of faults in a row, over any number of reports', () => {
    const { fault, phase, breaker } = rigOf()
    fault(4)
    expect(phase()).toBe('closed')
    fault()
    expect([phase(), breaker.cause]).toEqual(['open', 'faults_in_row'])
  })

  test('not when a success came in between', () => {
    const { fault, ok, note, phase } = rigOf()
    fault(4)
    ok()
    fault(4)
    note({ oks: 1, faults: 6, faultsInRow: 0 })
    expect(phase()).toBe('closed')
  })

  test('with too many faults in the window, though never two in a row', () => {
    const { fault, ok, phase, breaker, advance } = rigOf()
    for (let pair = 0; pair < 9; pair += 1) {
      ok()
      fault()
      advance(1_000)
    }
    ok()
    expect(phase()).toBe('closed')
    fault()
    expect([phase(), breaker.cause]).toEqual(['open', 'error_rate'])
  })

  test('not for a rate over fewer attempts than the minimum, or that has left the window', () => {
    const { fault, ok, phase, state, advance } = rigOf()
    for (let at = 0; at < 9; at += 1) {
      ok()
      fault()
    }
    expect(state().errorRate).toBeNull()
    advance(BREAKER.windowMs + 3_000)
    ok()
    fault()
    expect(phase()).toBe('closed')
  })

  test('never for faults while breakers are switched off', () => {
    const { fault, phase } = rigOf(null)
    for (let at = 0; at < 100; at += 1) fault()
    expect(phase()).toBe('closed')
  })

  test('for what no single attempt shows, breakers switched off or not', () => {
    for (const config of [BREAKER, null]) {
      const { trip, phase, breaker } = rigOf(config)
      trip()
      expect([phase(), breaker.cause]).toEqual(['open', 'no_progress'])
    }
  })
})

describe('comes back', () => {
  function opened(config: typeof BREAKER | null = BREAKER) {
    const rig = rigOf(config)
    if (config === null) rig.trip()
    else rig.fault(5)
    return rig
  }

  test('half open after its time, closed after the configured successes', () => {
    const { advance, phase, ok, state } = opened()
    advance(9_999)
    expect(phase()).toBe('open')
    advance(1)
    expect(phase()).toBe('half_open')
    ok()
    expect(phase()).toBe('half_open')
    ok()
    expect(phase()).toBe('closed')
    expect(state()).toEqual({ state: 'closed', retryAtMs: null, errorRate: null })
  })

  test('also while breakers are switched off, from a hang', () => {
    const { advance, phase, ok } = opened(null)
    advance(10_000)
    ok(2)
    expect(phase()).toBe('closed')
  })

  test('one fault opens it again, for twice as long each time, five minutes at most; closing resets that', () => {
    const { advance, phase, fault, ok, state, breaker } = opened()
    const waits: number[] = []
    for (let round = 0; round < 7; round += 1) {
      advance(MAX_OPEN_MS)
      expect(phase()).toBe('half_open')
      fault()
      const before = (state().retryAtMs ?? 0) - 1
      let waitMs = 0
      while (phase() === 'open') {
        advance(1_000)
        waitMs += 1_000
      }
      waits.push(waitMs)
      expect(before).toBeGreaterThan(0)
    }
    expect(waits).toEqual([20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
    ok(2)
    fault(5)
    expect(breaker.cause).toBe('faults_in_row')
    advance(10_000)
    expect(phase()).toBe('half_open')
  })

  test('attempts that began before it opened say nothing, either way', () => {
    const { breaker, advance, note, phase } = opened()
    const old = breaker.epoch - 1
    note({ oks: 50, epoch: old })
    advance(10_000)
    note({ oks: 50, epoch: old })
    note({ faults: 50, epoch: old })
    expect(phase()).toBe('half_open')
  })

  test('a report of both kinds while half open counts as a fault', () => {
    const { advance, note, phase } = opened()
    advance(10_000)
    note({ oks: 3, faults: 1, faultsInRow: 0 })
    expect(phase()).toBe('open')
  })

  test('a worker out for its error rate that panic uses, and that then fails in a row, is out for that', () => {
    const { fault, ok, breaker } = rigOf()
    for (let pair = 0; pair < 10; pair += 1) {
      ok()
      fault()
    }
    expect(breaker.cause).toBe('error_rate')
    fault(5)
    expect(breaker.cause).toBe('faults_in_row')
  })

  test('other settings leave it as it is; switching breakers off closes it, a hang stays', () => {
    const { breaker, phase } = opened()
    breaker.configure({ ...BREAKER, failureThreshold: 50 })
    expect(phase()).toBe('open')
    breaker.configure(null)
    expect(phase()).toBe('closed')
    const hung = opened(null)
    hung.breaker.configure(BREAKER)
    hung.breaker.configure(null)
    expect(hung.phase()).toBe('open')
  })

  test('from where it stood in an earlier life', () => {
    const { breaker, advance } = opened()
    const again = new WorkerBreaker(BREAKER, { epoch: 99 })
    again.resume(structuredClone(breaker.memo()))
    expect(again.phase(1_000_000)).toBe('open')
    expect(again.epoch).toBe(breaker.epoch)
    advance(10_000)
    expect(again.phase(1_010_000)).toBe('half_open')
  })
})

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('note' as const), oks: fc.nat(5), faults: fc.nat(5), isLate: fc.boolean() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(40_000) }),
    fc.constant({ kind: 'trip' as const }),
  ),
  { maxLength: 80 },
)

test('property: whatever happened, successes close it in the end, and late news never move it', () => {
  fc.assert(
    fc.property(steps, fc.option(fc.constant(BREAKER)), (history, config) => {
      const rig = rigOf(config)
      for (const step of history) {
        if (step.kind === 'wait') rig.advance(step.ms)
        else if (step.kind === 'trip') rig.trip()
        else {
          const { oks, faults, isLate } = step
          const before = [rig.phase(), rig.breaker.epoch]
          rig.note({ oks, faults, faultsInRow: faults, ...(isLate ? { epoch: rig.breaker.epoch - 1 } : {}) })
          if (isLate) expect([rig.phase(), rig.breaker.epoch]).toEqual(before)
        }
      }
      rig.advance(MAX_OPEN_MS)
      rig.ok(2)
      expect(rig.phase()).toBe('closed')
    }),
  )
})

test('property: without faults and hangs it never opens', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(5_000))), (history) => {
      const rig = rigOf()
      for (const [oks, ms] of history) {
        rig.ok(oks)
        rig.advance(ms)
        expect(rig.phase()).toBe('closed')
      }
    }),
  )
})
