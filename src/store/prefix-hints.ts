// The contract for hints that routers and isolates leave each other: which candidate got a prompt with a certain beginning
// last. Hints may be lost, late and wrong; nobody waits for one beyond its budget.

export interface PrefixHintStore {
  /** The candidate last written for each of these keys; null where there is none. Rejects when it can't be asked. */
  read(keys: readonly string[], signal: AbortSignal): Promise<readonly (string | null)[]>
  /** The last word counts. */
  write(keys: readonly string[], candidateId: string, ttlMs: number, signal: AbortSignal): Promise<void>
}
