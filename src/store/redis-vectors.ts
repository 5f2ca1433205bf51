// VectorStore in the Redis that processes share their state through. Keys, behind the prefix: `vector:<key>`, each with an
// expiry; how much there may be of them all is the server's own limit.

import type { RedisLink } from './redis-link.ts'
import type { VectorStore } from './vector-store.ts'

const READ = `return redis.call('MGET', unpack(KEYS))`

// KEYS: of vectors. ARGV: milliseconds until they expire, then the vectors.
const WRITE = `
for at, key in ipairs(KEYS) do redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[1]) end
return 0`

/** Keys of one call: Lua spreads no more than some thousands, and 128 vectors of 4,096 numbers are 3 MB. */
const BATCH_SIZE = 128

export interface RedisVectorsOptions {
  readonly link: Pick<RedisLink, 'eval'>
  readonly keyPrefix: string
}

export function createRedisVectors({ link, keyPrefix }: RedisVectorsOptions): VectorStore {
  const nameOf = (key: string) => `${keyPrefix}:vector:${key}`
  return {
    backend: 'redis',
    async read(keys) {
      const found: (string | null)[] = []
      for (const batch of batchesOf(keys)) {
        const reply = await link.eval(READ, { keys: batch.map(nameOf), args: [] })
        const values = Array.isArray(reply) ? reply : []
        found.push(...batch.map((_, at) => (typeof values[at] === 'string' ? values[at] : null)))
      }
      return found
    },
    async write(entries, ttlMs) {
      for (const batch of batchesOf(entries)) {
        const keys = batch.map(([key]) => nameOf(key))
        await link.eval(WRITE, { keys, args: [Math.ceil(ttlMs), ...batch.map(([, vector]) => vector)] })
      }
    },
  }
}

function batchesOf<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / BATCH_SIZE)
  return Array.from({ length: count }, (_, at) => items.slice(at * BATCH_SIZE, (at + 1) * BATCH_SIZE))
}
