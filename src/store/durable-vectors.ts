// VectorStore in a Durable Object, as an isolate sees it: one for the pool, asked when an isolate begins to need vectors of
// examples, and told when one had to compute some.

import type { FleetNamespace } from './durable-object.ts'
import type { VectorStore } from './vector-store.ts'

export interface DurableVectorsOptions {
  readonly namespace: FleetNamespace
  readonly pool: string
}

export function createDurableVectors({ namespace, pool }: DurableVectorsOptions): VectorStore {
  const object = () => namespace(`${pool}/vectors`)
  return {
    backend: 'durable_object',
    read: (keys) => object().readVectors(keys),
    write: (entries, ttlMs) => object().writeVectors(entries, ttlMs),
  }
}
