// Where the response cache can keep answers beyond a router's own memory, started for a test and ended with it.

import { startFreezingProxy } from './freezing-proxy.ts'
import type { RuntimeName } from './launch.ts'
import { startRedisServer } from './redis-server.ts'
import { startUpstashProxy } from './upstash-proxy.ts'

export interface CachePlaceBench {
  /** What `cache` says of the place. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Leaves it open, and nothing is answered any more; absent where that can't be done. */
  hang?(): void
  /** Takes it away; absent as well. */
  fail?(): Promise<void>
  close(): Promise<void>
}

export interface CachePlace {
  readonly name: string
  readonly runtimes: readonly RuntimeName[]
  open(): Promise<CachePlaceBench>
}

export const CACHE_PLACES: readonly CachePlace[] = [
  { name: 'Redis', runtimes: ['node', 'bun', 'deno'], open: openRedis },
  { name: 'Redis over HTTP', runtimes: ['node', 'workerd'], open: openRedisOverHttp },
  {
    name: 'Workers KV',
    runtimes: ['workerd'],
    open: async () => ({ settings: { backend: 'kv' }, close: async () => {} }),
  },
]

async function openRedis(): Promise<CachePlaceBench> {
  const password = 'pass word/ö'
  const server = await startRedisServer({ password })
  const way = await startFreezingProxy(server.port)
  const close = async () => {
    await way.close()
    await server.stop()
  }
  const url = `redis://:${encodeURIComponent(password)}@127.0.0.1:${way.port}`
  return { settings: { backend: 'redis', redis: { url } }, hang: way.freeze, fail: close, close }
}

async function openRedisOverHttp(): Promise<CachePlaceBench> {
  const server = await startRedisServer()
  const proxy = await startUpstashProxy(server.url)
  const way = await startFreezingProxy(Number(new URL(proxy.url).port))
  const fail = async () => {
    await way.close()
    await proxy.close()
  }
  return {
    settings: { backend: 'redis', redis: { rest_url: `http://127.0.0.1:${way.port}`, token: proxy.token } },
    hang: way.freeze,
    fail,
    async close() {
      await fail()
      await server.stop()
    },
  }
}
