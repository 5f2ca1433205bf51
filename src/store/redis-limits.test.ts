import { expect, test } from 'vitest'
import { limitStoreConformance } from '../../test/conformance/limit-store.ts'
import { useRedis } from '../../test/support/redis-rig.ts'
import type { LimitReport } from '../limits/limit-report.ts'
import { createRedisLimitStore } from './redis-limits.ts'

const redis = useRedis()

limitStoreConformance('redis', async () => {
  let nowMs = 1_000_000
  const keyPrefix = redis.newPrefix()
  const open = async () => createRedisLimitStore({ link: await redis.connect(() => nowMs), keyPrefix })
  return { store: await open(), elsewhere: await open(), advance: (ms) => void (nowMs += ms) }
})

const slotOf = (holder: string): LimitReport => ({
  tenant: 't',
  holder,
  revision: 1,
  limits: { rateLimitRps: null, maxConcurrent: 5, tokensPerMinute: null },
  meters: { slots: { granted: 0, returned: 0, used: 0, refunded: 0, needed: 1, whole: 0, expected: 0 } },
})

test('of many who ask at the same moment, as many get something as there is', async () => {
  const keyPrefix = redis.newPrefix()
  const stores = await Promise.all(
    Array.from({ length: 8 }, async () => createRedisLimitStore({ link: await redis.connect(), keyPrefix })),
  )
  const leases = await Promise.all(
    stores.flatMap((store, at) => [1, 2].map((half) => store.lease(slotOf(`h${at}-${half}`)))),
  )
  const given = leases.map(({ meters }) => meters.slots?.granted ?? 0)
  expect(given.reduce((sum, count) => sum + count, 0)).toBe(5)
})

test('a store that is gone rejects, and serves again when it is back', async () => {
  const link = await redis.connect()
  let isGone = true
  const flaky = { ...link, get: async (key: string) => (isGone ? Promise.reject(new Error('gone')) : link.get(key)) }
  const store = createRedisLimitStore({ link: flaky, keyPrefix: redis.newPrefix() })
  await expect(store.lease(slotOf('a'))).rejects.toThrow('gone')
  isGone = false
  expect((await store.lease(slotOf('a'))).meters.slots?.granted).toBe(1)
})
