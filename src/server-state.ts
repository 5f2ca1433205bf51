// What a process shares with others: the fleet and tenants' limits in Redis where the configuration names one, else both in
// memory.

import type { Config, RedisConfig } from './config/config.ts'
import { reasonText } from './observe/log/cause-text.ts'
import { toEntry } from './observe/log/entry.ts'
import type { LogEntry, Platform } from './platform.ts'
import { createServerFleet, type ServerFleet } from './server-fleet.ts'
import type { LimitStore } from './store/limit-store.ts'
import { createMemoryLimitStore } from './store/memory-limits.ts'
import type { FleetRole } from './store/fleet-seat.ts'
import { createRedisLimitStore } from './store/redis-limits.ts'
import type { RedisLink } from './store/redis-link.ts'
import { createRedisVectors } from './store/redis-vectors.ts'
import type { VectorStore } from './store/vector-store.ts'

export interface ServerState {
  readonly fleet: ServerFleet
  readonly limits: LimitStore
  /** Where vectors of the configuration's texts are shared; null where nothing is. */
  readonly vectors: VectorStore | null
  /** What this process is among those that share its state; null where it shares none. */
  readonly role: (() => FleetRole) | null
}

type StatePlatform = Parameters<typeof createServerFleet>[1] & Pick<Platform, 'writeLog'>

/** Never waits longer than the connection may take: without Redis a process goes on by itself. */
export async function openServerState(
  config: Config,
  platform: StatePlatform,
  connectRedis: ((redis: RedisConfig) => Promise<RedisLink>) | null,
): Promise<ServerState> {
  const redis = config.sharedState
  if (redis === null || connectRedis === null) {
    return {
      fleet: createServerFleet(config, platform, null),
      limits: createMemoryLimitStore(platform.now),
      vectors: null,
      role: null,
    }
  }
  const link = await connectRedis(redis)
  const { keyPrefix } = redis
  let role: FleetRole = 'alone'
  function onRole(next: FleetRole, cause: unknown): void {
    role = next
    platform.writeLog(toRoleEntry(platform.now(), next, cause))
  }
  const fleet = createServerFleet(config, platform, { link, keyPrefix, onRole })
  return {
    fleet,
    limits: createRedisLimitStore({ link, keyPrefix }),
    vectors: createRedisVectors({ link, keyPrefix }),
    role: () => role,
  }
}

/** One line for each change: without Redis a process is not out of order, but no longer one of many. */
function toRoleEntry(nowMs: number, role: FleetRole, cause: unknown): LogEntry {
  const why = cause instanceof Error ? { why: reasonText(cause) } : {}
  return toEntry(nowMs, role === 'alone' ? 'warn' : 'info', 'fleet_role', { role, ...why })
}
