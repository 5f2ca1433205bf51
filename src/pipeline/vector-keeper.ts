// Where vectors of a configuration's own texts are kept beyond this process or isolate, server by server.

import type { EmbeddingServerConfig } from '../config/config.ts'
import type { Platform } from '../platform.ts'
import { createBreaker } from '../upstream/breaker.ts'
import { type KeptVectors, keptVectorsOf } from '../upstream/kept-vectors.ts'
import type { CacheFailure, PipelineEvents } from './events.ts'

export interface VectorKeeper {
  /** Null where nothing outlives this process or isolate. */
  of(server: EmbeddingServerConfig): KeptVectors | null
}

/** A question that takes longer is not worth waiting for: the server of vectors is there to be asked. */
const READ_MS = 1_000
const WRITE_MS = 5_000

export function createVectorKeeper(
  { vectorStore: store, now, after }: Pick<Platform, 'vectorStore' | 'now' | 'after'>,
  events: Pick<PipelineEvents, 'cacheFailed'>,
): VectorKeeper {
  if (store === undefined) return { of: () => null }
  const onFailure = (why: CacheFailure['why']) => events.cacheFailed({ backend: `${store.backend}:vectors`, why })
  const reads = { gate: createBreaker({ now }), after, budgetMs: READ_MS, onFailure }
  const writes = { gate: createBreaker({ now }), after, budgetMs: WRITE_MS, onFailure }
  return { of: (server) => keptVectorsOf(server, { store, reads, writes }) }
}
