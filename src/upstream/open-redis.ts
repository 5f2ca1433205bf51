// The way to a Redis that caches are in: over TCP where the runtime has sockets, over HTTP everywhere.

import type { CacheRedisConfig } from '../config/cache-redis-schema.ts'
import type { Platform } from '../platform.ts'
import type { RedisCommands } from '../store/redis-commands.ts'
import type { UpstashOptions } from './upstash-redis.ts'

export function openRedis(
  { openRedis: open, wakesAcrossRequests }: Pick<Platform, 'openRedis' | 'wakesAcrossRequests'>,
  config: CacheRedisConfig,
): RedisCommands {
  const { restUrl, token, url } = config
  if (restUrl !== null && token !== null) {
    // The first request would wait for it beyond its budget. Not on Workers, where this may run outside of any request.
    if (wakesAcrossRequests) void loadUpstash()
    return openRedisOverHttp({ restUrl: restUrl.reveal(), token: token.reveal() })
  }
  if (url === null || open === undefined) return NOT_HERE
  const redis = open(config)
  // Connected before the first request, for the same reason.
  if (wakesAcrossRequests) void redis.command(['PING'], new AbortController().signal).catch(() => {})
  return redis
}

/** Loads the client when the first command wants it. */
export function openRedisOverHttp(options: UpstashOptions): RedisCommands {
  let opened: RedisCommands | null = null
  return {
    async command(args, signal) {
      // Not the promise of another request: on workerd nobody may wait for that.
      opened ??= (await loadUpstash()).openUpstash(options)
      return opened.command(args, signal)
    },
    close: async () => {},
  }
}

const loadUpstash = () => import('./upstash-redis.ts')

const NOT_HERE: RedisCommands = {
  command: () => Promise.reject(new Error('this router has no sockets, so no Redis can be reached over TCP')),
  close: async () => {},
}
