// No more at a time than there are slots, and in turn.

import { expect, test } from 'vitest'
import { createSlots } from './connection-slots.ts'

test('tasks wait for a slot, first come, first served, and a failure gives its slot back', async () => {
  const withSlot = createSlots(2)
  const started: number[] = []
  let running = 0
  let most = 0
  const runs = Array.from({ length: 6 }, (_, at) =>
    withSlot(async () => {
      started.push(at)
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      if (at === 0) throw new Error('failed')
      return at
    }),
  )
  const settled = await Promise.allSettled(runs)
  expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([false, true, true, true, true, true])
  expect(started).toEqual([0, 1, 2, 3, 4, 5])
  expect(most).toBe(2)
})
