// The contract of what keeps answers by what was asked: within a partition the nearest one is looked for. Implementations:
// semantic-memory.ts, semantic-redis.ts.

import type { Partition, StoredAnswer, StoreSize } from './response-store.ts'
import type { PurgeScope } from '../store/purge-log.ts'

/** The kept answer whose question is nearest. */
export interface Nearest {
  /** What the answer is kept under, as in the exact cache. */
  readonly key: string
  readonly answer: StoredAnswer
  /** Cosine between the two questions. */
  readonly similarity: number
}

export interface SemanticLookup {
  /** Null when nothing is kept there that is near enough. */
  readonly nearest: Nearest | null
  /** The marks of purges that stand now. */
  readonly epoch: string
}

/** Where to look, and for what. */
export interface SemanticQuery {
  /** Stands for all that has to be equal to the letter. */
  readonly partitionKey: string
  readonly partition: Partition
  /** Of length one. */
  readonly vector: Float32Array
  readonly threshold: number
  /** Answers that are older count as gone. */
  readonly storedAfterMs: number
}

export interface KeptQuestion {
  readonly partitionKey: string
  readonly key: string
  readonly vector: Float32Array
  readonly answer: StoredAnswer
  /** How long it is of use. */
  readonly ttlMs: number
}

export interface LocalSemanticStore {
  readonly backend: 'memory'
  readonly size: StoreSize
  nearest(query: SemanticQuery): SemanticLookup
  put(kept: KeptQuestion): void
  purge(scope: PurgeScope): void
}

/** Rejects when the place can't be asked. */
export interface RemoteSemanticStore {
  readonly backend: 'redis'
  nearest(query: SemanticQuery, signal: AbortSignal): Promise<SemanticLookup>
  put(kept: KeptQuestion, signal: AbortSignal): Promise<void>
  purge(scope: PurgeScope, signal: AbortSignal): Promise<void>
}

export type SemanticStore = LocalSemanticStore | RemoteSemanticStore

/** Of two unit vectors; null when they are of two models, or one of them is no vector at all. */
export function cosineOf(one: Float32Array, other: Float32Array): number | null {
  if (one.length !== other.length || one.length === 0) return null
  let sum = 0
  for (let at = 0; at < one.length; at += 1) sum += (one[at] ?? 0) * (other[at] ?? 0)
  // Rounding may lead beyond one.
  return Number.isFinite(sum) ? Math.min(1, Math.max(-1, sum)) : null
}
