// Places of cached answers off the edge: memory, and a real Redis over sockets and over HTTP.

import { Secret } from '../../src/secret.ts'
import { createClient } from '@redis/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryResponseStore } from '../../src/cache/response-memory.ts'
import { RedisResponseStore } from '../../src/cache/response-redis.ts'
import { MemorySemanticStore } from '../../src/cache/semantic-memory.ts'
import { RedisSemanticStore } from '../../src/cache/semantic-redis.ts'
import { openSocketCommands } from '../../src/runtime/socket-redis.ts'
import type { RedisCommands } from '../../src/store/redis-commands.ts'
import { openRedisOverHttp } from '../../src/upstream/open-redis.ts'
import { responseStoreConformance } from '../conformance/response-store.ts'
import { semanticStoreConformance } from '../conformance/semantic-store.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { startUpstashProxy, type UpstashProxy } from '../support/upstash-proxy.ts'

responseStoreConformance('memory', async () => {
  const store = new MemoryResponseStore({ maxEntries: 100, maxBytes: 10_000_000 })
  return { open: () => store }
})

semanticStoreConformance('memory', async () => {
  const store = new MemorySemanticStore({ maxEntries: 3, maxBytes: 10_000_000 })
  return { open: () => store }
})

describe('Redis', () => {
  let server: RedisServer
  let proxy: UpstashProxy
  const opened: RedisCommands[] = []
  let places = 0
  beforeAll(async () => {
    server = await startRedisServer()
    proxy = await startUpstashProxy(server.url)
  })
  afterAll(async () => {
    await Promise.all(opened.map((redis) => redis.close()))
    await proxy?.close()
    await server?.stop()
  })

  const connections: Readonly<Record<string, () => RedisCommands>> = {
    sockets: () => openSocketCommands({ url: new Secret(server.url), skipsVerification: false }),
    HTTP: () => openRedisOverHttp({ restUrl: proxy.url, token: proxy.token }),
  }

  function open(keyPrefix: string, connect: () => RedisCommands, ttlMs = 60_000): RedisResponseStore {
    const redis = connect()
    opened.push(redis)
    return new RedisResponseStore({ redis, keyPrefix, ttlMs, randomId: () => crypto.randomUUID() })
  }

  for (const [name, connect] of Object.entries(connections)) {
    responseStoreConformance(`Redis over ${name}`, async () => {
      const prefix = `answers:${(places += 1)}:`
      return { open: () => open(prefix, connect) }
    })
  }

  semanticStoreConformance('Redis', async () => {
    const keyPrefix = `meanings:${(places += 1)}:`
    const open = () => {
      const redis = openSocketCommands({ url: new Secret(server.url), skipsVerification: false })
      opened.push(redis)
      return new RedisSemanticStore({ redis, keyPrefix, maxEntries: 3, randomId: () => crypto.randomUUID() })
    }
    return { open }
  })

  test('leaves an expiry on every answer, and nothing outside its prefix', async () => {
    const client = await createClient({ url: server.url }).connect()
    await client.flushAll()
    const store = open(
      'own:',
      () => openSocketCommands({ url: new Secret(server.url), skipsVerification: false }),
      45_000,
    )
    const partition = { party: null, model: 'm' }
    const signal = new AbortController().signal
    const { epoch } = await store.find('k', partition, signal)
    await store.put('k', { ...partition, headers: [], body: new Uint8Array(2), storedAtMs: 0, epoch }, signal)
    await store.purge({ kind: 'all' }, signal)
    expect((await client.keys('*')).sort()).toEqual(['own:exact:k', 'own:purges'])
    const leftMs = await client.pTTL('own:exact:k')
    expect(leftMs).toBeGreaterThan(0)
    expect(leftMs).toBeLessThanOrEqual(45_000)
    // What others wrote there is a miss.
    await client.set('own:exact:other', 'no such form')
    expect((await store.find('other', partition, signal)).answer).toBeNull()
    client.destroy()
  })
})
