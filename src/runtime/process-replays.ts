// Where a process on Node, Bun or Deno can keep records of Router Replay.

import type { ReplayStoreConfig } from '../config/config.ts'
import type { ReplayPlatform } from '../config/router-replay-checks.ts'
import { MemoryReplayStore } from '../store/replay-memory.ts'
import { PostgresReplayStore } from '../store/replay-postgres.ts'
import { RedisReplayStore } from '../store/replay-redis.ts'
import type { ReplayStore } from '../store/replay-store.ts'
import { openPostgresPool } from './postgres-client.ts'
import { openSocketRedis } from './socket-redis.ts'
import { openUpstashScripts } from './upstash-scripts.ts'

const ON_WORKERS = 'it is there on Cloudflare Workers alone'

export const PROCESS_REPLAYS: ReplayPlatform = {
  missing: { durable_object: ON_WORKERS, r2: ON_WORKERS },
  hasSockets: true,
  hyperdrives: null,
}

const now = () => Date.now()

export function openReplayStore({ backend, redis, postgres }: ReplayStoreConfig): ReplayStore {
  if (backend === 'redis' && redis !== null) {
    const scripts = redis.url === null ? openUpstashScripts(redis) : openSocketRedis(redis)
    return new RedisReplayStore({ redis: scripts, config: redis, now })
  }
  if (backend === 'postgres' && postgres !== null) {
    // Loaded when it is needed: most routers have no PostgreSQL.
    const load = async () => (await import('postgres')).default
    const client = openPostgresPool(load, postgres.url?.reveal() ?? '', postgres.maxConnections)
    return new PostgresReplayStore({ client, config: postgres, now })
  }
  if (backend === 'memory') return new MemoryReplayStore({ now })
  throw new Error(`router_replay can't keep records in ${backend} here: ${ON_WORKERS}`)
}
