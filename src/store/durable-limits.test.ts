// A tenant whose limits are divided over several objects: each isolate keeps to one, and all together let through no more.

import { expect, test } from 'vitest'
import { VirtualTime } from '../../test/support/virtual-time.ts'
import { createDurableLimitStore } from './durable-limits.ts'
import { placeAmong } from './isolate-place.ts'
import { LimitDesk } from './limit-desk.ts'
import { createMemoryLimitStore } from './memory-limits.ts'

const LIMITS = { rateLimitRps: null, maxConcurrent: 12, tokensPerMinute: null }

/** Isolates at even places, over objects that are stores of their own. */
function isolatesOver(parts: number) {
  const time = new VirtualTime()
  const stores = new Map<string, ReturnType<typeof createMemoryLimitStore>>()
  function namespace(name: string) {
    const store = stores.get(name) ?? createMemoryLimitStore(time.now)
    stores.set(name, store)
    return store
  }
  const desks = [0, 0.2, 0.4, 0.6, 0.8, 0.99].map((place) => {
    const store = createDurableLimitStore({ namespace, pool: 'p', place: () => placeAmong(place, parts) })
    return new LimitDesk({
      ...time,
      store,
      randomId: () => `at ${place}`,
      onStoreFailed: (cause) => expect.fail(String(cause)),
    })
  })
  return { time, desks, names: () => [...stores.keys()].sort() }
}

/** How many of `count` requests at each isolate are let through at a time. */
async function admittedOf(count: number, parts: number) {
  const { time, desks, names } = isolatesOver(parts)
  const asked = desks.flatMap((desk) =>
    Array.from({ length: count }, () => desk.admit({ tenant: 't', limits: LIMITS, charge: { tokens: 0 } }, () => {})),
  )
  await time.advance(5_000)
  const outcomes = await Promise.all(asked.map(async (outcome) => outcome))
  return { admitted: outcomes.filter(({ kind }) => kind === 'admitted').length, names: names() }
}

test('three objects let through no more than one does', async () => {
  expect(await admittedOf(12, 1)).toEqual({ admitted: 12, names: ['p/t'] })
  expect(await admittedOf(12, 3)).toEqual({ admitted: 12, names: ['p/t/0-of-3', 'p/t/1-of-3', 'p/t/2-of-3'] })
})

test('what can’t be divided evenly is left, not exceeded', async () => {
  expect((await admittedOf(12, 5)).admitted).toBe(10)
})
