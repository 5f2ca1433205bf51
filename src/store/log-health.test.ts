import { expect, test } from 'vitest'
import { type DecisionLogChange, LogHealth } from './log-health.ts'

function createHealth() {
  const told: DecisionLogChange[] = []
  const queue = { waiting: 0 }
  const health = new LogHealth({ waiting: () => queue.waiting, onChange: (change) => void told.push(change) })
  return { health, told, queue }
}

test('tells of a failure once, and of its end', () => {
  const { health, told, queue } = createHealth()
  queue.waiting = 3
  health.failed('ENOSPC')
  health.failed('EIO')
  expect(health.failing).toBe('EIO')
  queue.waiting = 0
  health.succeeded()
  health.succeeded()
  expect(told).toEqual([
    { state: 'failing', reason: 'ENOSPC', waiting: 3, lost: 0 },
    { state: 'recovered', reason: 'EIO', waiting: 0, lost: 0 },
  ])
})

test('tells of losses once however long they go on, though writes succeed in between', () => {
  const { health, told, queue } = createHealth()
  queue.waiting = 1_000
  for (let round = 0; round < 50; round += 1) {
    health.lose(1, 'too slow')
    health.succeeded()
  }
  queue.waiting = 0
  health.succeeded()
  expect(told.map(({ state, lost }) => [state, lost])).toEqual([
    ['losing', 1],
    ['recovered', 50],
  ])
  expect(health.lost).toBe(50)
})
