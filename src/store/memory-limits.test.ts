import { expect, test } from 'vitest'
import { limitStoreConformance } from '../../test/conformance/limit-store.ts'
import { VirtualTime } from '../../test/support/virtual-time.ts'
import { LimitDesk } from './limit-desk.ts'
import { createMemoryLimitStore } from './memory-limits.ts'

limitStoreConformance('memory', async () => {
  let nowMs = 1_000_000
  const store = createMemoryLimitStore(() => nowMs)
  return { store, elsewhere: store, advance: (ms) => void (nowMs += ms) }
})

test('in one process a request never waits, and limits are exact', async () => {
  const time = new VirtualTime()
  const desk = new LimitDesk({
    store: createMemoryLimitStore(time.now),
    now: time.now,
    after: time.after,
    randomId: () => 'h',
    onStoreFailed: () => {},
  })
  const limits = { rateLimitRps: 10, maxConcurrent: 3, tokensPerMinute: null }
  const admit = () => {
    const said = desk.admit({ tenant: 't', limits, charge: { tokens: 0 } }, () => {})
    if (said instanceof Promise) throw new Error('waits')
    return said
  }
  const running = [admit(), admit(), admit()]
  expect(running.map(({ kind }) => kind)).toEqual(['admitted', 'admitted', 'admitted'])
  expect(admit()).toMatchObject({ kind: 'refused', refusal: { meter: 'slots' } })
  expect(desk.use('t')).toMatchObject({
    inFlight: 3,
    standing: { requests: { remaining: 7 }, slots: { remaining: 0 } },
  })
  for (const said of running) if (said.kind === 'admitted') said.release()
  for (let sent = 0; sent < 7; sent++) {
    const said = admit()
    if (said.kind === 'admitted') said.release()
  }
  expect(admit()).toMatchObject({ kind: 'refused', refusal: { meter: 'requests', retryAfterMs: 100 } })
  await time.advance(100)
  expect(admit().kind).toBe('admitted')
  expect(desk.use('somebody else')).toBeNull()
})
