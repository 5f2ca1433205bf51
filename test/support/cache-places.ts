// Where the response cache can keep answers beyond a router's own memory, started for a test and ended with it.

import type { RuntimeName } from './launch.ts'
import { startRedisServer } from './redis-server.ts'
import { startUpstashProxy } from './upstash-proxy.ts'

export interface CachePlaceBench {
  /** What `cache` says of the place. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Takes it away; absent where that can't be done. */
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
  const server = await startRedisServer({ password: 'pass word/ö' })
  return { settings: { backend: 'redis', redis: { url: server.url } }, fail: server.stop, close: server.stop }
}

async function openRedisOverHttp(): Promise<CachePlaceBench> {
  const server = await startRedisServer()
  const proxy = await startUpstashProxy(server.url)
  return {
    settings: { backend: 'redis', redis: { rest_url: proxy.url, token: proxy.token } },
    fail: proxy.close,
    async close() {
      await proxy.close()
      await server.stop()
    },
  }
}
