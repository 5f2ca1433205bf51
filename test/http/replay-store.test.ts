// Router Replay's stores off the edge: memory, a real Redis over sockets and over HTTP, and a real PostgreSQL.

import { Secret } from '../../src/secret.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ReplayStoreConfig } from '../../src/config/config.ts'
import { openReplayStore } from '../../src/runtime/process-replays.ts'
import { MemoryReplayStore } from '../../src/store/replay-memory.ts'
import type { ReplayStore } from '../../src/store/replay-store.ts'
import { replayStoreConformance } from '../conformance/replay-store.ts'
import { startFreezingProxy } from '../support/freezing-proxy.ts'
import { replayNumber, replayNumbers } from '../support/made-up-replays.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { startUpstashProxy, type UpstashProxy } from '../support/upstash-proxy.ts'

const NONE: ReplayStoreConfig = { backend: 'memory', redis: null, postgres: null, r2: { prefix: '' } }
const KEEPS = { maxRecords: 100, ttlMs: null }

replayStoreConformance('memory', async () => {
  const store = new MemoryReplayStore({ now: () => Date.now() })
  return { open: () => store }
})

/** Closed after the tests that opened them. */
const opened: ReplayStore[] = []
let places = 0

function open(config: Partial<ReplayStoreConfig>): ReplayStore {
  const store = openReplayStore({ ...NONE, ...config })
  opened.push(store)
  return store
}

/** A server that hangs: what was asked of it fails in time, holding on to nothing, and it is used again later. */
async function expectToGiveUp(serverPort: number, openAt: (port: number) => ReplayStore): Promise<void> {
  const proxy = await startFreezingProxy(serverPort)
  const store = openAt(proxy.port)
  try {
    await store.put('', [replayNumber(1)], KEEPS)
    proxy.freeze()
    const puts = Array.from({ length: 8 }, (_, n) => store.put('', [replayNumber(n)], KEEPS))
    const ended = await Promise.race([Promise.allSettled(puts), new Promise((resolve) => setTimeout(resolve, 20_000))])
    expect(ended, 'writes wait for a server that hangs').toEqual(
      puts.map(() => expect.objectContaining({ status: 'rejected' })),
    )
    proxy.thaw()
    const put = () => store.put('', [replayNumber(9)], KEEPS).then(() => 'kept')
    await expect.poll(put, { timeout: 20_000 }).toBe('kept')
  } finally {
    await proxy.close()
  }
}

describe('Redis', () => {
  let server: RedisServer
  let proxy: UpstashProxy
  beforeAll(async () => {
    server = await startRedisServer({ password: 'pass word/ö' })
    proxy = await startUpstashProxy(server.url)
  })
  afterAll(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
    await proxy?.close()
    await server?.stop()
  })

  const connections = {
    sockets: () => ({ url: new Secret(server.url), restUrl: null, token: null }),
    HTTP: () => ({ url: null, restUrl: new Secret(proxy.url), token: new Secret(proxy.token) }),
  }
  for (const [name, connection] of Object.entries(connections)) {
    replayStoreConformance(`Redis over ${name}`, async () => {
      const keyPrefix = `replays:${(places += 1)}:`
      const redis = { ...connection(), keyPrefix, skipsVerification: false }
      return { open: () => open({ backend: 'redis', redis }) }
    })
  }

  test('what cannot be reached says so in words without a secret, and is used again when it is back', async () => {
    const own = await startRedisServer({ password: 'sesame-42' })
    const redis = { url: new Secret(own.url), restUrl: null, token: null, keyPrefix: '', skipsVerification: false }
    const store = open({ backend: 'redis', redis })
    await store.put('', [replayNumber(1)], KEEPS)
    await own.stop()
    const failure = await store.put('', [replayNumber(2)], KEEPS).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(String(failure)).not.toContain('sesame-42')
    const again = await startRedisServer({ password: 'sesame-42', port: own.port })
    await expect
      .poll(() => store.put('', [replayNumber(3)], KEEPS).then(() => 'kept'), { timeout: 20_000 })
      .toBe('kept')
    await store.close()
    await again.stop()
  })

  test('over sockets, gives up a server that hangs', { timeout: 60_000 }, () =>
    expectToGiveUp(server.port, (port) => {
      const url = server.url.replace(/:\d+(?=\/?$)/, `:${port}`)
      return open({
        backend: 'redis',
        redis: { url: new Secret(url), restUrl: null, token: null, keyPrefix: 'hung:', skipsVerification: false },
      })
    }),
  )

  test('over HTTP, gives up a server that hangs', { timeout: 60_000 }, () =>
    expectToGiveUp(Number(new URL(proxy.url).port), (port) => {
      const restUrl = `http://127.0.0.1:${port}`
      return open({
        backend: 'redis',
        redis: {
          url: null,
          restUrl: new Secret(restUrl),
          token: new Secret(proxy.token),
          keyPrefix: 'hung:',
          skipsVerification: false,
        },
      })
    }),
  )

  test('a refusal over HTTP repeats nothing of the record', async () => {
    const redis = {
      url: null,
      restUrl: new Secret(proxy.url),
      token: new Secret('wrong'),
      keyPrefix: '',
      skipsVerification: false,
    }
    const store = open({ backend: 'redis', redis })
    const failure = await store.put('', [replayNumber(1, { request_body: 'MARKER' })], KEEPS).catch((e: unknown) => e)
    expect(String(failure)).toContain('WRONGPASS')
    expect(String(failure)).not.toContain('MARKER')
  })
})

describe('PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgresServer()
  })
  afterAll(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
    await server?.stop()
  })
  const place = (url: string) => {
    const schema = `place_${(places += 1)}`
    return { url: new Secret(url), hyperdriveBinding: null, schema, table: 'router_replay_records', maxConnections: 4 }
  }

  replayStoreConformance('PostgreSQL over TCP', async () => {
    const postgres = place(server.url)
    return { open: () => open({ backend: 'postgres', postgres }) }
  })

  test('over a socket of the machine', async () => {
    const url = `postgres://router@localhost:${server.port}/postgres?host=${server.socketDirectory}`
    const store = open({ backend: 'postgres', postgres: place(url) })
    await store.put('', replayNumbers(0, 3), KEEPS)
    expect((await store.list({ filters: {}, after: null, offset: 0, limit: 9 })).total).toBe(3)
  })

  test('gives up a server that hangs', { timeout: 60_000 }, () =>
    expectToGiveUp(server.port, (port) => {
      const url = new URL(server.url)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return open({ backend: 'postgres', postgres: place(url.href) })
    }),
  )

  test('many that start at the same moment make one table', async () => {
    const postgres = place(server.url)
    const stores = Array.from({ length: 6 }, () => open({ backend: 'postgres', postgres }))
    await Promise.all(stores.map((store, n) => store.put('', [replayNumber(n)], KEEPS)))
    expect((await stores[0]?.list({ filters: {}, after: null, offset: 0, limit: 9 }))?.total).toBe(6)
  })
})
