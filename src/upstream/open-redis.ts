// The way to a Redis that caches are in: over TCP where the runtime has sockets, over HTTP everywhere.

import type { CacheRedisConfig } from '../config/cache-redis-schema.ts'
import type { Platform } from '../platform.ts'
import type { RedisCommands } from '../store/redis-commands.ts'
import { openRedisOverHttp } from './redis-over-http.ts'

export function openRedis(
  platform: Pick<Platform, 'send' | 'openRedis' | 'wakesAcrossRequests'>,
  config: CacheRedisConfig,
): RedisCommands {
  const { restUrl, token, url } = config
  if (restUrl !== null && token !== null) return openRedisOverHttp({ platform, restUrl, token })
  if (url === null || platform.openRedis === undefined) return NOT_HERE
  const redis = platform.openRedis(config)
  // Connected before the first request, which would wait for it beyond its budget.
  if (platform.wakesAcrossRequests) void redis.command(['PING'], new AbortController().signal).catch(() => {})
  return redis
}

const NOT_HERE: RedisCommands = {
  command: () => Promise.reject(new Error('this router has no sockets, so no Redis can be reached over TCP')),
  close: async () => {},
}
