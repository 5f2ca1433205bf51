// Asks LMCache's control plane who holds the beginning of a prompt, by token ids. Behind a breaker: one that fails is not
// asked for a while, and then costs no request anything.

import { type Breaker, createBreaker } from '../breaker.ts'
import { askService, type ServiceFailure } from '../json-service.ts'
import { type BoundPlatform, serviceThrough } from '../through-binding.ts'
import type { InstanceMatches } from './instance-matches.ts'
import { readLayout } from './layout-info.ts'
import type { LmcacheLookupNeeds, LmcacheNeeds } from './needs.ts'
import { readPlacements } from './placements.ts'

export interface LookupQuestion {
  /** From the beginning of the prompt on; the client cuts them to what may be sent. */
  readonly ids: ArrayLike<number> & Iterable<number>
  readonly model: string | null
  /** Parts the caches of those who send different ones; empty for none. */
  readonly cacheSalt: string
  /** What is left of the request's budget. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type LookupReply = { readonly kind: 'answer'; readonly answer: InstanceMatches } | ServiceFailure

export interface LookupClient {
  /** Never rejects, and never takes longer than the time given. */
  lookup(question: LookupQuestion): Promise<LookupReply>
  /** Whether to tokenise for it: not while the breaker is open, and of those who could see whether it is back for one. */
  takeTurn(): boolean
}

export interface LookupClientOptions {
  readonly platform: BoundPlatform
  readonly needs: LmcacheNeeds
  readonly lookup: LmcacheLookupNeeds
}

/** How long one that was let through to see whether it is back has, until another is. */
const LOOK_MS = 1_000

export function createLookupClient({ platform, needs, lookup }: LookupClientOptions): LookupClient {
  const breaker: Breaker = createBreaker({ now: () => platform.now() })
  const { controllerUrl, controllerApiKey: apiKey, controllerTimeoutMs, controllerType } = needs
  const through = serviceThrough(platform, needs.controllerBinding)
  const isLegacy = controllerType === 'legacy'
  let lookedAtMs = Number.NEGATIVE_INFINITY
  return {
    takeTurn() {
      const state = breaker.state()
      const nowMs = platform.now()
      if (state === 'closed') return true
      if (state === 'open' || nowMs < lookedAtMs + LOOK_MS) return false
      lookedAtMs = nowMs
      return true
    },
    lookup({ ids, model, cacheSalt, timeoutMs, signal }) {
      const tokens = Array.from(ids).slice(0, lookup.maxTokens)
      const question = {
        url: `${controllerUrl}${isLegacy ? '/lookup' : '/directory/lookup'}`,
        apiKey,
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
}
