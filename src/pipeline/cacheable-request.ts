// What the response caches see of a request: what its answer depends on, and what each of them may do for it.

import { type CacheUse, cacheUseOf } from '../cache/cache-use.ts'
import type { CanonicalMember } from '../cache/canonical-json.ts'
import { type KeyedRequest, responseKey, shapingMembers } from '../cache/response-key.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'

export interface CacheableRequest {
  readonly keyed: KeyedRequest
  /** The body's members that count. */
  readonly members: readonly CanonicalMember[]
  /** What its answer is kept under. */
  readonly key: string
  /** Both are `bypass` where there is no such cache. */
  readonly exactUse: CacheUse
  readonly semanticUse: CacheUse
}

/** Null for a request that no cache may do anything for. */
export async function toCacheable(
  { responseCache, semanticCache }: Pick<RouterParts, 'responseCache' | 'semanticCache'>,
  exchange: Exchange,
  request: InferenceRequest,
): Promise<CacheableRequest | null> {
  const { model, party, decided } = exchange
  const { json, headers, pinnedWorkerId } = request
  if (!exchange.isCacheable || json === null || model === null || pinnedWorkerId !== null) return null
  const useOf = (cache: typeof responseCache | typeof semanticCache): CacheUse =>
    cache === null ? 'bypass' : cacheUseOf({ json, headers, ...cache.config })
  const [exactUse, semanticUse] = [useOf(responseCache), useOf(semanticCache)]
  if (exactUse === 'bypass' && semanticUse === 'bypass') return null
  // As the worker would get it, with everything that hooks, rules and decisions have changed.
  const body = request.bodyFor(model)
  if (!(body instanceof Uint8Array)) return null
  const mutation = decided?.decision?.plugins.headerMutation ?? null
  const keyed: KeyedRequest = {
    party,
    model,
    target: request.target,
    shape: request.wantsStream ? request.streamKind : '',
    headers,
    forwardHeaders: exchange.config.forwardHeaders,
    headerChanges: mutation && JSON.stringify(mutation),
  }
  const members = shapingMembers(new TextDecoder().decode(body))
  return { keyed, members, key: await responseKey(keyed, members), exactUse, semanticUse }
}
