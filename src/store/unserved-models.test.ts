import { expect, test } from 'vitest'
import { workerStateOf } from '../../test/support/fleet.ts'
import { hasUnservedModel } from './unserved-models.ts'

const out = { availability: 'down' } as const

test.each([
  [false, 'all are well', [workerStateOf('a'), workerStateOf('b')]],
  [false, 'another serves what one that is down does', [workerStateOf('a', out), workerStateOf('b')]],
  [true, 'nobody else does', [workerStateOf('a', { ...out, models: ['m', 'n'] }), workerStateOf('b')]],
  [true, 'nobody knows what it serves', [workerStateOf('a', { ...out, models: null }), workerStateOf('b')]],
  [true, 'all sleep', [workerStateOf('a', { availability: 'asleep' })]],
  [false, 'requests took it out, or an operator', [workerStateOf('a', { availability: 'open' }), drained()]],
])('%s: %s', (isUnserved, _, workers) => {
  expect(hasUnservedModel(workers)).toBe(isUnserved)
})

function drained() {
  return workerStateOf('b', { availability: 'parked' })
}
