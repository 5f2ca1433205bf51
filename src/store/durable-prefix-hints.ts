// PrefixHintStore over Durable Objects, as an isolate sees it. All beginnings of one prompt are in one object, chosen by
// the shortest one asked for or told of: whoever shares a beginning asks the same object, in one call.

import { DEFAULT_SHARDS, type FleetNamespace } from './durable-object.ts'
import type { PrefixHintStore } from './prefix-hints.ts'

const shardName = (pool: string, key: string, shards: number): string =>
  `${pool}/prefixes/${Number.parseInt(key.slice(-4), 16) % shards}`

export interface DurablePrefixHintsOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
  /** How many objects hints are spread over. */
  shards?(): number
}

export function createDurablePrefixHints({ namespace, pool, shards }: DurablePrefixHintsOptions): PrefixHintStore {
  // The last one is the beginning of a single block, wherever a prompt goes on from there.
  const objectOf = (keys: readonly string[]) =>
    namespace(shardName(pool, keys.at(-1) ?? '', shards?.() ?? DEFAULT_SHARDS))
  return {
    read: async (keys) => objectOf(keys).readPrefixHints(keys),
    write: (keys, candidateId, ttlMs) => objectOf(keys).writePrefixHints(keys, candidateId, ttlMs),
  }
}
