// Connections to Redis servers that caches and hints are in: one for each server, whoever asks for it, over all
// configurations of a process or isolate.

import { identityOf } from '../secret.ts'
import type { CacheRedisConfig } from '../config/cache-redis-schema.ts'
import type { RedisCommands } from './redis-commands.ts'

export type OpenRedis = (config: CacheRedisConfig) => RedisCommands

export class RedisShelf {
  readonly #open: OpenRedis
  readonly #connections = new Map<string, RedisCommands>()

  constructor(open: OpenRedis) {
    this.#open = open
  }

  /** The connection to a server; opened when it is first asked for. */
  at(config: CacheRedisConfig): RedisCommands {
    const key = addressOf(config)
    const known = this.#connections.get(key)
    if (known !== undefined) return known
    const opened = this.#open(config)
    this.#connections.set(key, opened)
    return opened
  }

  /** Closes those that no configuration names any more; what still asks there misses. */
  keepOnly(configs: readonly CacheRedisConfig[]): void {
    const wanted = new Set(configs.map(addressOf))
    for (const [key, connection] of this.#connections) {
      if (wanted.has(key)) continue
      this.#connections.delete(key)
      void connection.close().catch(() => {}) // nothing more goes there
    }
  }
}

function addressOf({ url, restUrl, token, skipsVerification }: CacheRedisConfig): string {
  return identityOf([url, restUrl, token, skipsVerification])
}
