// The contract for vectors that were computed once: processes and isolates that begin later find them here. They may be lost
// at any time, and are then computed anew.

/** What a store holds at most; those that expire first make room. */
export const MAX_KEPT_VECTORS = 4_096

export interface VectorStore {
  /** Where that is, for the log: `file`, `redis`, `durable_object`. */
  readonly backend: string
  /** What was written under each of these keys; null where there is nothing. Rejects when it can't be asked. */
  read(keys: readonly string[], signal: AbortSignal): Promise<readonly (string | null)[]>
  /** The last word counts. */
  write(entries: readonly VectorEntry[], ttlMs: number, signal: AbortSignal): Promise<void>
}

/** A vector as text, whatever it is kept in. */
export type VectorEntry = readonly [key: string, vector: string]
