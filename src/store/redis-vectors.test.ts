// Vectors in a real Redis.

import { expect, test } from 'vitest'
import { vectorStoreConformance } from '../../test/conformance/vector-store.ts'
import { useRedis } from '../../test/support/redis-rig.ts'
import { createRedisVectors } from './redis-vectors.ts'

const redis = useRedis()

vectorStoreConformance('Redis', async () => {
  const keyPrefix = redis.newPrefix()
  return {
    open: async () => createRedisVectors({ link: await redis.connect(), keyPrefix }),
    advance: null,
    isBounded: false,
  }
})

test('vectors expire', async () => {
  const link = await redis.connect()
  const keyPrefix = redis.newPrefix()
  await createRedisVectors({ link, keyPrefix }).write([['a', 'v']], 60_000, new AbortController().signal)
  const leftMs = await link.eval("return redis.call('PTTL', KEYS[1])", { keys: [`${keyPrefix}:vector:a`], args: [] })
  expect(leftMs).toBeGreaterThan(0)
  expect(leftMs).toBeLessThanOrEqual(60_000)
})
