// What a process shares with others: the fleet and tenants' limits in Redis where the configuration names one, else both in
// memory.

import type { Config, RedisConfig } from './config/config.ts'
import type { Platform } from './platform.ts'
import { createServerFleet, type ServerFleet } from './server-fleet.ts'
import type { LimitStore } from './store/limit-store.ts'
import { createMemoryLimitStore } from './store/memory-limits.ts'
import type { FleetRole } from './store/fleet-seat.ts'
import { createRedisLimitStore } from './store/redis-limits.ts'
import type { RedisLink } from './store/redis-link.ts'

export interface ServerState {
  readonly fleet: ServerFleet
  readonly limits: LimitStore
  /** What this process is among those that share its state; null where it shares none. */
  readonly role: (() => FleetRole) | null
}

type StatePlatform = Parameters<typeof createServerFleet>[1] & Pick<Platform, 'writeLine'>

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
      role: null,
    }
  }
  const link = await connectRedis(redis)
  const { keyPrefix } = redis
  let role: FleetRole = 'alone'
  function onRole(next: FleetRole, cause: unknown): void {
    role = next
    platform.writeLine(toRoleLine(next, cause))
  }
  const fleet = createServerFleet(config, platform, { link, keyPrefix, onRole })
  return { fleet, limits: createRedisLimitStore({ link, keyPrefix }), role: () => role }
}

/** One line for each change: without Redis a process is not out of order, but no longer one of many. */
function toRoleLine(role: FleetRole, cause: unknown): string {
  const why = cause instanceof Error ? { cause: cause.message } : {}
  return JSON.stringify({ level: role === 'alone' ? 'warn' : 'info', event: 'fleet_role', role, ...why })
}
