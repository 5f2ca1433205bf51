// The fleet store of one process: the contract, and the timer that keeps asking the workers.

import { describe, expect, test } from 'vitest'
import { fleetStoreConformance } from '../../test/conformance/fleet-store.ts'
import { VirtualClock } from '../simulator/clock.ts'
import type { HolderReport, WorkerObservation } from './fleet-store.ts'
import { createMemoryFleetStore } from './memory.ts'
import { defaultBreaker, fleetConfigOf, reportOf as fleetReportOf } from '../../test/support/fleet.ts'
import { observationOf } from '../../test/support/observation.ts'

const PROBE_MS = 10_000

const reportOf = (given: Partial<HolderReport> = {}) => fleetReportOf('x', given)

/** A store over workers `a` and `b`. Each round of probes waits for `answer` when `isHeld`. */
function rigOf({ isHeld = false } = {}) {
  const clock = new VirtualClock(1_000_000)
  const waiting: (() => void)[] = []
  const down = new Set<string>()
  const rounds: number[] = []
  const observe = (workerId: string): WorkerObservation =>
    observationOf(workerId, {
      health: down.has(workerId) ? 'unreachable' : 'ok',
      models: ['m', 'n'],
      atMs: clock.now(),
    })
  const store = createMemoryFleetStore({
    config: fleetConfigOf(['a', 'b'], { breaker: defaultBreaker() }),
    life: 'memory',
    now: () => clock.now(),
    after: (delayMs, task) => clock.after(delayMs, task),
    async probe() {
      rounds.push(clock.now())
      if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve))
      return [observe('a'), observe('b')]
    },
    nextProbeMs: () => PROBE_MS,
  })
  /** Lets the round under way end, and what follows from it happen. */
  async function answer() {
    waiting.shift()?.()
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
  }
  return { store, clock, rounds, down, answer }
}

fleetStoreConformance('memory', async () => {
  const { store, clock, answer } = rigOf()
  return {
    store,
    elsewhere: store,
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    async probeAgain() {
      clock.advance(PROBE_MS)
      await answer()
    },
  }
})

describe('rounds of probes', () => {
  test('the first sync waits for the first round, the others for none', async () => {
    const { store, answer } = rigOf({ isHeld: true })
    let isKnown = false
    const first = store.sync(reportOf()).then((snapshot) => {
      isKnown = true
      return snapshot
    })
    await Promise.resolve()
    expect(isKnown).toBe(false)
    await answer()
    expect((await first).workers).toHaveLength(2)
    expect((await store.sync(reportOf())).workers).toHaveLength(2)
  })

  test('follow each other at the given distance, one at a time', async () => {
    const { clock, rounds, answer } = rigOf({ isHeld: true })
    clock.advance(5 * PROBE_MS)
    expect(rounds).toEqual([1_000_000])
    await answer()
    clock.advance(PROBE_MS)
    expect(rounds).toEqual([1_000_000, 1_000_000 + 6 * PROBE_MS])
  })

  test('a worker that a request could not reach is asked again soon', async () => {
    const { store, clock, rounds, answer } = rigOf()
    await answer()
    await store.sync(reportOf({ unreachable: [{ workerId: 'a', atMs: clock.now() }] }))
    clock.advance(200)
    expect(rounds).toHaveLength(2)
  })

  test('soon stays soon when more failures are reported meanwhile', async () => {
    const { store, clock, rounds, answer } = rigOf()
    await answer()
    for (let at = 0; at < 4; at += 1) {
      await store.sync(reportOf({ unreachable: [{ workerId: 'a', atMs: clock.now() }] }))
      clock.advance(100)
    }
    expect(rounds).toEqual([1_000_000, 1_000_200, 1_000_400])
  })

  test('a failure reported while a round is under way is looked at right after it', async () => {
    const { store, clock, rounds, answer } = rigOf({ isHeld: true })
    await answer()
    clock.advance(PROBE_MS)
    expect(rounds).toHaveLength(2)
    // Worker `a` has answered this round already, say; then a request finds it gone.
    await store.sync(reportOf({ unreachable: [{ workerId: 'a', atMs: clock.now() }] }))
    clock.advance(1_000)
    await answer()
    clock.advance(200)
    expect(rounds).toHaveLength(3)
  })

  test('stop when the store is closed, even in the middle of one', async () => {
    const { store, clock, rounds, answer } = rigOf({ isHeld: true })
    await answer()
    clock.advance(PROBE_MS)
    store.close()
    await answer()
    clock.advance(10 * PROBE_MS)
    expect(rounds).toHaveLength(2)
  })
})
