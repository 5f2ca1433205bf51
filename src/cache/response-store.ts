// The contract of what keeps answers: one key one answer, an age, and marks that make everything stored before a purge
// unreadable without looking for it. Implementations: response-memory.ts, response-kv.ts, response-redis.ts.

import type { PurgeScope } from '../store/purge-log.ts'

/** An answer as it is kept: status 200, whole. */
export interface StoredAnswer {
  /** Model and party it was made for, again: whoever reads it can be sure whatever became of the keys. */
  readonly party: string | null
  readonly model: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array<ArrayBuffer>
  readonly storedAtMs: number
  /** Marks that stood when its request was looked up. */
  readonly epoch: string
}

export interface Lookup {
  /** Null for a miss; never an answer from before a purge. */
  readonly answer: StoredAnswer | null
  /** The marks that stand now, for what is going to be kept. */
  readonly epoch: string
}

/** Whose answer it is and of which model: what marks it can be under. */
export interface Partition {
  readonly party: string | null
  readonly model: string
}

/** What is kept in a memory; answers that were purged or have become too old are counted until they are come across. */
export interface StoreSize {
  readonly entries: number
  readonly bytes: number
}

/** In the memory of this process or isolate: answers at once. */
export interface LocalResponseStore {
  readonly backend: 'memory'
  readonly size: StoreSize
  find(key: string, partition: Partition): Lookup
  put(key: string, answer: StoredAnswer): void
  purge(scope: PurgeScope): void
}

/** Elsewhere. Rejects when the place can't be asked. */
export interface RemoteResponseStore {
  readonly backend: 'kv' | 'redis'
  find(key: string, partition: Partition, signal: AbortSignal): Promise<Lookup>
  put(key: string, answer: StoredAnswer, signal: AbortSignal): Promise<void>
  purge(scope: PurgeScope, signal: AbortSignal): Promise<void>
}

export type ResponseStore = LocalResponseStore | RemoteResponseStore

/** Names of the marks that an answer of this partition is under. */
export function marksOf({ party, model }: Partition): readonly [string, string, string] {
  return ['all', `tenant:${party ?? ''}`, `model:${model}`]
}

/** The mark that a purge sets; null for the purge of one key, which needs none. */
export function markOf(scope: PurgeScope): string | null {
  if (scope.kind === 'key') return null
  return scope.kind === 'all' ? 'all' : `${scope.kind}:${scope.name}`
}

/** Values of the marks as one text. */
export function epochOf(values: readonly (string | null | undefined)[]): string {
  return values.map((value) => value ?? '').join(' ')
}

/** Beyond this many marks one for everything takes their place. */
export const MAX_MARKS = 1_000
