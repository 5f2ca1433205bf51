// Where Router Replay can keep records on each runtime, started for a test and ended with it.

import type { RuntimeName } from './launch.ts'
import { startPostgresServer } from './postgres-server.ts'
import { startRedisServer } from './redis-server.ts'
import { startUpstashProxy } from './upstash-proxy.ts'

export interface ReplayStoreBench {
  /** What `router_replay` says of the store. */
  readonly settings: { readonly store_backend: string } & Readonly<Record<string, unknown>>
  /** More variables of the router's environment. */
  readonly env?: Readonly<Record<string, string>>
  close(): Promise<void>
}

export interface ReplayStoreCase {
  readonly name: string
  readonly runtimes: readonly RuntimeName[]
  open(): Promise<ReplayStoreBench>
}

const NOTHING = async () => {}

export const REPLAY_STORES: readonly ReplayStoreCase[] = [
  {
    name: 'memory',
    runtimes: ['node', 'bun', 'deno', 'workerd'],
    open: async () => ({ settings: { store_backend: 'memory' }, close: NOTHING }),
  },
  {
    name: 'memory, many at once',
    runtimes: ['node', 'workerd'],
    open: async () => ({ settings: { store_backend: 'memory', async_writes: true }, close: NOTHING }),
  },
  {
    name: 'Durable Objects',
    runtimes: ['workerd'],
    open: async () => ({ settings: { store_backend: 'durable_object' }, close: NOTHING }),
  },
  {
    name: 'Durable Objects, many at once',
    runtimes: ['workerd'],
    open: async () => ({ settings: { store_backend: 'durable_object', async_writes: true }, close: NOTHING }),
  },
  {
    name: 'R2',
    runtimes: ['workerd'],
    open: async () => ({ settings: { store_backend: 'r2', async_writes: true }, close: NOTHING }),
  },
  { name: 'Redis', runtimes: ['node', 'bun', 'deno'], open: openRedis },
  { name: 'Redis over HTTP', runtimes: ['node', 'workerd'], open: openRedisOverHttp },
  { name: 'PostgreSQL', runtimes: ['node', 'bun', 'deno', 'workerd'], open: openPostgres },
  { name: 'PostgreSQL through Hyperdrive', runtimes: ['workerd'], open: openHyperdrive },
]

async function openRedis(): Promise<ReplayStoreBench> {
  const server = await startRedisServer()
  return { settings: { store_backend: 'redis', redis: { url: server.url } }, close: server.stop }
}

async function openRedisOverHttp(): Promise<ReplayStoreBench> {
  const server = await startRedisServer()
  const proxy = await startUpstashProxy(server.url)
  return {
    settings: { store_backend: 'redis', redis: { rest_url: proxy.url, token: proxy.token } },
    async close() {
      await proxy.close()
      await server.stop()
    },
  }
}

async function openHyperdrive(): Promise<ReplayStoreBench> {
  const server = await startPostgresServer()
  return {
    settings: { store_backend: 'postgres', postgres: { hyperdrive_binding: 'REPLAYS' } },
    // Hyperdrive wants a password; the server takes any.
    env: { CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_REPLAYS: server.url.replace('router@', 'router:any@') },
    close: server.stop,
  }
}

async function openPostgres(): Promise<ReplayStoreBench> {
  const server = await startPostgresServer()
  return { settings: { store_backend: 'postgres', postgres: { url: server.url } }, close: server.stop }
}
