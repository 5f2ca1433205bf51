// Asks LMCache's control plane who holds the beginning of a prompt, by token ids. Behind a breaker: one that fails is not
// asked for a while, and then costs no request anything.

import type { TraceHeaders } from '../../tracing/trace-headers.ts'
import { type Breaker, createBreaker } from '../breaker.ts'
import { askService, type ServiceFailure } from '../json-service.ts'
import { type BoundPlatform, serviceThrough } from '../through-binding.ts'
import type { InstanceMatches } from './instance-matches.ts'
import { CHUNK_TOKENS, readLayout } from './layout-info.ts'
import type { LmcacheLookupNeeds, LmcacheNeeds } from './needs.ts'
import { readPlacements } from './placements.ts'

export interface LookupQuestion {
  /** From the beginning of the prompt on; the client cuts them to what may be sent. */
  readonly ids: ArrayLike<number> & Iterable<number>
  readonly model: string | null
  /** Parts the caches of those who send different ones; empty for none. */
  readonly cacheSalt: string
  readonly trace?: TraceHeaders
  /** What is left of the request's budget. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type LookupReply = { readonly kind: 'answer'; readonly answer: InstanceMatches } | ServiceFailure

export interface LookupClient {
  /** Never rejects, and never takes longer than the time given. */
  lookup(question: LookupQuestion): Promise<LookupReply>
  /** Whether to ask it, and so to tokenise for it: not from when it has failed until a look finds it back. */
  isAsked(): boolean
  /** Sees whether it is back when it is time to; null when it is not. For beside a request: none is to wait for it. */
  look(model: string | null): Promise<LookupReply> | null
}

export interface LookupClientOptions {
  readonly platform: BoundPlatform
  readonly needs: LmcacheNeeds
  readonly lookup: LmcacheLookupNeeds
}

/** What a look asks about: one chunk of a prompt that nobody has. */
const NO_PROMPT = new Uint32Array(CHUNK_TOKENS)

export function createLookupClient({ platform, needs, lookup }: LookupClientOptions): LookupClient {
  const breaker: Breaker = createBreaker({ now: () => platform.now() })
  const { controllerUrl, controllerApiKey: apiKey, controllerTimeoutMs, controllerType } = needs
  const through = serviceThrough(platform, needs.controllerBinding)
  const isLegacy = controllerType === 'legacy'
  const client: LookupClient = {
    isAsked: () => breaker.state() === 'closed',
    look(model) {
      if (breaker.state() !== 'half_open') return null
      const { signal } = new AbortController()
      // One that needs longer than a request has is not back.
      return client.lookup({ ids: NO_PROMPT, model, cacheSalt: '', timeoutMs: lookup.budgetMs, signal })
    },
    lookup({ ids, model, cacheSalt, trace, timeoutMs, signal }) {
      const tokens = Array.from(ids).slice(0, lookup.maxTokens)
      const question = {
        url: `${controllerUrl}${isLegacy ? '/lookup' : '/directory/lookup'}`,
        apiKey,
        trace,
        timeoutMs: Math.min(timeoutMs, controllerTimeoutMs),
        signal,
      }
      if (isLegacy) {
        const options = { tokens: tokens.length, assumesChains: lookup.assumesChains }
        return askService(through, breaker, { ...question, body: { tokens } }, (answer) => readLayout(answer, options))
      }
      const body = { token_ids: tokens, model_name: model, world_size: lookup.worldSize, cache_salt: cacheSalt }
      return askService(through, breaker, { ...question, body }, (answer) => readPlacements(answer, tokens.length))
    },
  }
  return client
}
