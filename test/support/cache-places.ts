// Where the response cache can keep answers beyond a router's own memory, started for a test and ended with it.

import { startFreezingProxy } from './freezing-proxy.ts'
import type { RuntimeName } from './launch.ts'
import { startRedisServer } from './redis-server.ts'
import { startUpstashProxy } from './upstash-proxy.ts'

export interface CachePlaceBench {
  /** What `cache` says of the place. */
  readonly settings: Readonly<Record<string, unknown>>
  /** From now on each answer ends in its middle, until the function returned is called; absent where that can't be done. */
  breakOff?(): () => void
  /** Leaves it open, and nothing is answered any more; absent as well. */
  hang?(): void
  /** Takes it away; absent as well. */
  fail?(): Promise<void>
  close(): Promise<void>
}

export interface CachePlace {
  readonly name: string
  readonly runtimes: readonly RuntimeName[]
  /** Whether the semantic cache can be there: KV can't be searched. */
  readonly canSearch: boolean
  open(): Promise<CachePlaceBench>
}

/** Half of what is usual: tests of a place that hangs wait for it ten times. */
const TIMEOUT_MS = 250

export const CACHE_PLACES: readonly CachePlace[] = [
  { name: 'Redis', runtimes: ['node', 'bun', 'deno'], canSearch: true, open: openRedis },
  { name: 'Redis over HTTP', runtimes: ['node', 'bun', 'deno', 'workerd'], canSearch: true, open: openRedisOverHttp },
  {
    name: 'Workers KV',
    runtimes: ['workerd'],
    canSearch: false,
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
  return {
    settings: { backend: 'redis', redis: { url, command_timeout_ms: TIMEOUT_MS } },
    breakOff: way.breakOff,
    hang: way.freeze,
    fail: close,
    close,
  }
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
    settings: {
      backend: 'redis',
      redis: { rest_url: `http://127.0.0.1:${way.port}`, token: proxy.token, command_timeout_ms: TIMEOUT_MS },
    },
    breakOff: way.breakOff,
    hang: way.freeze,
    fail,
    async close() {
      await fail()
      await server.stop()
    },
  }
}
