// Which changes of workers are told.

import { expect, test } from 'vitest'
import { type FleetSnapshot, NEVER_ASKED, type WorkerState } from './fleet-store.ts'
import { workerChanges } from './worker-changes.ts'

const worker = (workerId: string, more: Partial<WorkerState> = {}): WorkerState => {
  return { ...NEVER_ASKED, workerId, availability: 'up', ...more }
}
const breaker = (state: WorkerState['breaker']['state']) => ({ breaker: { ...NEVER_ASKED.breaker, state } })
const snapshot = (...workers: WorkerState[]): FleetSnapshot => {
  return { takenAtMs: 0, ageMs: 0, workers, inFlightElsewhere: new Map(), tickets: new Map(), permits: [] }
}

test('a breaker that opens is told once, and nothing else is', () => {
  const before = snapshot(worker('a'), worker('b'), worker('gone'))
  const after = snapshot(
    worker('new', { availability: 'open' }),
    worker('b', { share: 0.5, checkedAtMs: 7 }),
    worker('a', { availability: 'open', reason: 'error_rate', ...breaker('open') }),
  )
  expect(workerChanges(before, after)).toEqual([
    {
      workerId: 'a',
      availability: { from: 'up', to: 'open' },
      breaker: { from: 'closed', to: 'open' },
      reason: 'error_rate',
      epoch: 0,
    },
  ])
  expect(workerChanges(after, after)).toEqual([])
})
