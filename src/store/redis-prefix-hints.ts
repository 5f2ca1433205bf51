// PrefixHintStore in a Redis. Keys, behind the prefix: `routing:<key>`, each the id of a candidate, with an expiry.

import type { PrefixHintStore } from './prefix-hints.ts'
import type { RedisCommands } from './redis-commands.ts'

// KEYS: hints. ARGV: candidate, milliseconds until they expire.
const WRITE = `
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 0
`

export interface RedisPrefixHintsOptions {
  readonly redis: RedisCommands
  readonly keyPrefix: string
}

export function createRedisPrefixHints({ redis, keyPrefix }: RedisPrefixHintsOptions): PrefixHintStore {
  const namesOf = (keys: readonly string[]) => keys.map((key) => `${keyPrefix}routing:${key}`)
  return {
    async read(keys, signal) {
      const answer = await redis.command(['MGET', ...namesOf(keys)], signal)
      const found: readonly unknown[] = Array.isArray(answer) ? answer : []
      return keys.map((_, at) => {
        const candidateId = found[at]
        return typeof candidateId === 'string' ? candidateId : null
      })
    },
    async write(keys, candidateId, ttlMs, signal) {
      const names = namesOf(keys)
      const values = [candidateId, String(Math.ceil(ttlMs))]
      await redis.command(['EVAL', WRITE, String(names.length), ...names, ...values], signal)
    },
  }
}
