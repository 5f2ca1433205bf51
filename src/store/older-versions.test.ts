// Two versions at once (F58): what one does not send yet is taken for what it means not to have it.

import { expect, test } from 'vitest'
import { fleetConfigOf, reportOf, snapshotOf, workerStateOf } from '../../test/support/fleet.ts'
import { FleetState } from './fleet-state.ts'
import { completeReport, completeSnapshot } from './older-versions.ts'

test('an isolate of the version before is heard and answered', () => {
  const state = new FleetState({ config: fleetConfigOf(['a']), drainSettleMs: 0, nowMs: 0 })
  const before = { holder: 'old', inFlight: new Map([['a', 2]]), unreachable: [], ticketsWanted: new Map([['', 3]]) }
  state.note(completeReport(before), 5)
  const answer = state.snapshotFor(completeReport(before), 5)
  expect(answer.tickets.get('')).toEqual({ first: 0, count: 3 })
  expect(state.snapshotFor(reportOf('new'), 5).inFlightElsewhere).toEqual(new Map([['a', 2]]))
})

test('an object of the version before answers with all that is known of its workers', () => {
  const old = { workerId: 'a', availability: 'up', models: ['m'], checkedAtMs: 4 } as const
  const answer = { takenAtMs: 5, workers: [old], inFlightElsewhere: new Map(), tickets: new Map() }
  const { reason, sinceMs } = { reason: 'not_asked_yet', sinceMs: null } as const
  const state = workerStateOf('a', { reason, sinceMs, checkedAtMs: 4 })
  expect(completeSnapshot(answer)).toEqual(snapshotOf(5, { workers: [state] }))
})

test('what is complete is left as it is', () => {
  const snapshot = snapshotOf(5, { ageMs: 7, workers: [workerStateOf('a')], permits: [{ id: 1, workerId: 'a' }] })
  expect(completeSnapshot(snapshot)).toEqual(snapshot)
  expect(completeSnapshot(snapshot).workers[0]).toBe(snapshot.workers[0])
  expect(completeReport(reportOf('x', { isUrgent: true }))).toEqual(reportOf('x', { isUrgent: true }))
})
