// The contract for token ids that processes or isolates share, and that contract over Redis.

import type { RedisCommands } from '../store/redis-commands.ts'
import { parseTokenText, toTokenText } from './token-text.ts'

export interface TokenStore {
  /** The first of these keys that is there, as its place among them; null when none is. Rejects when it can't be asked. */
  findFirst(keys: readonly string[], signal: AbortSignal): Promise<{ index: number; ids: Uint32Array } | null>
  put(key: string, ids: Uint32Array, signal: AbortSignal): Promise<void>
}

export interface RedisTokenStoreOptions {
  readonly redis: RedisCommands
  readonly keyPrefix: string
  readonly ttlMs: number
}

export function createRedisTokenStore({ redis, keyPrefix, ttlMs }: RedisTokenStoreOptions): TokenStore {
  const nameOf = (key: string) => `${keyPrefix}tokens:${key}`
  return {
    async findFirst(keys, signal) {
      const answer = await redis.command(['MGET', ...keys.map(nameOf)], signal)
      const texts: readonly unknown[] = Array.isArray(answer) ? answer : []
      for (const [index, text] of texts.entries()) {
        // What somebody else wrote there is no entry.
        const ids = typeof text === 'string' ? parseTokenText(text) : null
        if (ids !== null) return { index, ids }
      }
      return null
    },
    async put(key, ids, signal) {
      await redis.command(['SET', nameOf(key), toTokenText(ids), 'PX', String(ttlMs)], signal)
    },
  }
}
