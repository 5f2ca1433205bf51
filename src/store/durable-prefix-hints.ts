// PrefixHintStore over Durable Objects, as an isolate sees it. All beginnings of one prompt are in one object, chosen by
// the shortest one asked for or told of: whoever shares a beginning asks the same object, in one call.

import type { FleetNamespace } from './durable-object.ts'
import type { PrefixHintStore } from './prefix-hints.ts'

/** Objects that hints are spread over. */
const PREFIX_SHARDS = 16

const shardName = (pool: string, key: string): string =>
  `${pool}/prefixes/${Number.parseInt(key.slice(-4), 16) % PREFIX_SHARDS}`

export interface DurablePrefixHintsOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
}

export function createDurablePrefixHints({ namespace, pool }: DurablePrefixHintsOptions): PrefixHintStore {
  // The last one is the beginning of a single block, wherever a prompt goes on from there.
  const objectOf = (keys: readonly string[]) => namespace(shardName(pool, keys.at(-1) ?? ''))
  return {
    read: async (keys) => objectOf(keys).readPrefixHints(keys),
    write: (keys, candidateId, ttlMs) => objectOf(keys).writePrefixHints(keys, candidateId, ttlMs),
  }
}
