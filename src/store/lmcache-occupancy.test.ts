// How long what LMCache said of its caches is believed.

import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { BREAKER, HEALTH, reportOf, snapshotOf, workerOf } from '../../test/support/fleet.ts'
import { fromFleetJson, toFleetJson } from './fleet-json.ts'
import { createFleetRelay } from './fleet-relay.ts'
import { FleetState } from './fleet-state.ts'
import { type HeardOccupancy, OccupancyViews, toOccupancy } from './lmcache-occupancy.ts'
import { completeSnapshot, type SentSnapshot } from './older-versions.ts'

const INSTANCES = [{ instanceId: 'a', ip: '10.0.0.1', chunks: 7 }]
const SAID: HeardOccupancy = { instances: INSTANCES, saidAtMs: 0, lastPoll: 'ok' }
const UNKNOWN = [{ instanceId: 'a', ip: '10.0.0.1', chunks: null }]

describe('with a poll every ten seconds', () => {
  test.each([
    [0, 'fresh', INSTANCES],
    [32_000, 'fresh', INSTANCES],
    [32_001, 'stale', UNKNOWN],
    [600_000, 'stale', UNKNOWN],
    [600_001, 'unknown', []],
  ] as const)('%i ms later', (ageMs, state, instances) => {
    const views = new OccupancyViews()
    const view = views.of(toOccupancy(SAID, ageMs), 0, 10_000)
    expect(view).toEqual({ instances, ageMs, state, lastPoll: 'ok' })
    // The age of the copy counts like the age of what is in it.
    expect(views.of(toOccupancy(SAID, 0), ageMs, 10_000)).toEqual(view)
  })

  test('what was never said is unknown, not zero', () => {
    const never = toOccupancy({ instances: [], saidAtMs: null, lastPoll: 'timeout' }, 5)
    expect(new OccupancyViews().of(never, 3, 10_000)).toEqual({
      instances: [],
      ageMs: null,
      state: 'unknown',
      lastPoll: 'timeout',
    })
  })

  test('a list that is the same is not made anew', () => {
    const views = new OccupancyViews()
    const old = toOccupancy(SAID, 60_000)
    expect(views.of(old, 0, 10_000).instances).toBe(views.of(old, 5, 10_000).instances)
  })
})

test('with a poll every hour, three hours are not too long', () => {
  expect(new OccupancyViews().of(toOccupancy(SAID, 3 * 3_600_000), 0, 3_600_000).state).toBe('fresh')
})

describe('on its way', () => {
  const config = { workers: [workerOf('w')], health: HEALTH, breaker: BREAKER }

  test('its age grows with each copy, whatever the clocks say', async () => {
    const root = createFakeClock(1_000_000)
    // A replica whose clock is an hour behind.
    const replica = createFakeClock(1_000_000 - 3_600_000)
    const state = new FleetState({ config, drainSettleMs: 0, nowMs: root.now() })
    state.noteLmcache({ ...SAID, saidAtMs: root.now() - 4_000 })
    const relay = createFleetRelay({
      name: 'replica',
      life: 'x',
      now: replica.now,
      syncAbove: async (report) => {
        const sent = toFleetJson(state.snapshotFor(report, root.now()))
        return completeSnapshot(fromFleetJson(sent) as SentSnapshot)
      },
    })
    await relay.sync(reportOf('isolate'))
    replica.advance(300)
    const { ageMs, lmcache } = await relay.sync(reportOf('isolate'))
    expect(lmcache).toEqual({ instances: INSTANCES, ageMs: 4_000, lastPoll: 'ok' })
    expect(ageMs).toBe(300)
  })

  test('a fleet that does not ask LMCache sends nothing of it', () => {
    const state = new FleetState({ config, drainSettleMs: 0, nowMs: 0 })
    expect(state.snapshotFor(reportOf('x'), 0)).not.toHaveProperty('lmcache')
    state.noteLmcache(SAID)
    state.noteLmcache(null)
    expect(state.snapshotFor(reportOf('x'), 0)).not.toHaveProperty('lmcache')
    expect(completeSnapshot(snapshotOf(0)).lmcache).toBeUndefined()
  })
})
