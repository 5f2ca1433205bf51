// Token ids of prompts by what their templates saw, so that the same prompt is tokenised once: memory first, then a store
// that processes or isolates share, then whoever tokenises. Ids are looked up with; a wrong one costs a cache hit.

import type { TemplateFields, TemplateInput } from './template-input.ts'

/**
 * Tokenises a prompt of these fields for the model and the tenant asked about; null when it can't be done. It may be called
 * once more when the ids are known, for messages that the prompt begins with, in time that nobody waits for.
 */
export type LoadIds = (fields: TemplateFields) => Promise<readonly number[] | null>

/** Where ids came from: `joined` from another request that was asking for the same. */
export type IdSource = 'memory' | 'shared' | 'prefix' | 'joined' | 'loaded'

export interface FoundIds {
  readonly ids: Uint32Array
  readonly source: IdSource
  /** False for the leading ids alone, of messages that the prompt begins with. */
  readonly isWhole: boolean
}

/** The request that asks. */
export interface AskingRequest {
  /** Whoever asks has left, or has no time any more. */
  readonly signal: AbortSignal
  /** Keeps the runtime alive for what is written once the ids are known. */
  waitUntil(task: Promise<unknown>): void
  /** How long it waits for a store at most; left out, as long as the store may take. */
  readonly budgetMs?: number
  /** How many leading ids are all that is wanted; left out, every one that can be had at once. */
  readonly wanted?: number
}

export interface TokenCache {
  /**
   * The token ids of a prompt; null when they are not known and `load` has none. Rejects only with what `load` rejects
   * with: a store that fails or hangs is a miss, and soon not asked any more.
   */
  idsFor(prompt: TemplateInput, load: LoadIds, request: AskingRequest): Promise<FoundIds | null>
  /** Prompts whose ids are in memory; absent where none are kept. */
  entries?(): number
}

/** Where no cache is configured: every prompt is tokenised. */
export const NO_TOKEN_CACHE: TokenCache = {
  async idsFor({ fields }, load) {
    const ids = toIds(await load(fields))
    return ids === null ? null : { ids, source: 'loaded', isWhole: true }
  },
}

/** Null for what can be no ids of tokens. */
export function toIds(numbers: readonly number[] | null): Uint32Array | null {
  if (numbers === null) return null
  const ids = Uint32Array.from(numbers)
  return ids.every((id, index) => id === numbers[index]) ? ids : null
}
