// What a router finds out for a decision, and what it learns from answers: by its own index, from LMCache, or, as no
// router can, from the engines themselves.

import type { LmcacheFact, PrefixFact } from '../../src/routing/cache-facts.ts'
import type { LmcacheNeeds, PrefixNeeds } from '../../src/routing/policy.ts'
import { PromptCaches } from '../../src/store/prompt-caches.ts'
import type { VirtualController } from './controller.ts'
import type { VirtualWorker } from './fleet.ts'
import { MODEL, type PreparedRequest, type PreparedTrace } from './prepared.ts'

export interface CacheFacts {
  readonly prefix: PrefixFact | null
  readonly lmcache: LmcacheFact | null
}

/** What is asked of others before a decision. */
export interface Lookup {
  readonly count: number
  readonly ms: number
}

/** An attempt, as what was learned of its prompt goes. */
export interface Attempt {
  firstToken(nowMs: number): void
  ended(cachedTokens: number): void
}

export interface Knowledge {
  lookupFor(request: PreparedRequest): Lookup
  /** After the lookup's time has passed. */
  factsFor(request: PreparedRequest, nowMs: number): Partial<CacheFacts>
  begin(
    request: PreparedRequest,
    attempt: { readonly workerId: string; readonly facts: CacheFacts; readonly nowMs: number },
  ): Attempt
}

const NO_LOOKUP: Lookup = { count: 0, ms: 0 }
const NO_ATTEMPT: Attempt = { firstToken() {}, ended() {} }

/** Everything that these know; nothing, where there are none. */
export function joinKnowledge(parts: readonly Knowledge[]): Knowledge {
  return {
    lookupFor(request) {
      const lookups = parts.map((part) => part.lookupFor(request))
      const add = (name: keyof Lookup) => lookups.reduce((sum, lookup) => sum + lookup[name], 0)
      return { count: add('count'), ms: add('ms') }
    },
    factsFor: (request, nowMs) => parts.reduce((facts, part) => ({ ...facts, ...part.factsFor(request, nowMs) }), {}),
    begin(request, attempt) {
      const begun = parts.map((part) => part.begin(request, attempt))
      return {
        firstToken: (nowMs) => begun.forEach((each) => each.firstToken(nowMs)),
        ended: (cachedTokens) => begun.forEach((each) => each.ended(cachedTokens)),
      }
    },
  }
}

/** The router's own index, learning as it does in the pipeline. */
export class IndexKnowledge implements Knowledge {
  readonly #caches = new PromptCaches()
  readonly #trace: PreparedTrace
  readonly #needs: PrefixNeeds

  constructor(trace: PreparedTrace, needs: PrefixNeeds, workerIds: readonly string[]) {
    this.#trace = trace
    this.#needs = needs
    this.#caches.use(needs, new Map(workerIds.map((id) => [id, id])))
  }

  lookupFor(): Lookup {
    return NO_LOOKUP
  }

  factOf(request: PreparedRequest, nowMs: number): PrefixFact {
    return this.#caches.factOf(this.#promptOf(request), nowMs)
  }

  factsFor(request: PreparedRequest, nowMs: number): Partial<CacheFacts> {
    return { prefix: this.factOf(request, nowMs) }
  }

  begin(
    request: PreparedRequest,
    { workerId, facts, nowMs }: { readonly workerId: string; readonly facts: CacheFacts; readonly nowMs: number },
  ): Attempt {
    const attempt = { candidateId: workerId, fact: facts.prefix, nowMs, streams: true, api: 'chat' }
    const hold = this.#caches.begin({ ...this.#promptOf(request), ...attempt })
    return {
      firstToken: (firstMs) => hold.noteFirstByte(firstMs),
      ended: (cachedTokens) => hold.noteAnswer({ promptTokens: request.trace.promptTokens, cachedTokens }),
    }
  }

  #promptOf(request: PreparedRequest) {
    const { blockBytes } = this.#needs
    const { chains, bytes } = this.#trace.promptOf(request, blockBytes)
    return { blocks: { chains, bytes, blockBytes, tokens: null }, model: MODEL, needs: this.#needs }
  }
}

/** What a worker's /tokenize and the controller's /lookup take, with the way there and back. */
export const LOOKUP_COSTS = { tokenizeMs: 2, tokenizeMsPerToken: 0.0015, lookupMs: 2, lookupMsPerChunk: 0.01 }

/** LMCache as the router asks it; `index` is the router's own, null where its policy keeps none. */
export function lmcacheKnowledge(
  controller: VirtualController,
  needs: LmcacheNeeds,
  index: IndexKnowledge | null,
): Knowledge {
  const { lookup, controllerType } = needs
  const poll = new Polled(() => controller.occupancy(), needs.pollIntervalMs)
  return {
    lookupFor(request) {
      if (lookup === null || request.trace.promptTokens < lookup.minPromptTokens) return NO_LOOKUP
      return { count: 1, ms: Math.min(lookupMs(request, lookup.maxTokens), lookup.budgetMs) }
    },
    factsFor(request, nowMs) {
      const { promptTokens } = request.trace
      const own = index?.factOf(request, nowMs) ?? null
      // What a token costs is learned, and is the same for the index and for LMCache.
      const { prefillMsPerToken } = own ?? needs
      const known = { chunkCounts: poll.at(nowMs), prefillMsPerToken }
      const isAnswered =
        lookup !== null &&
        promptTokens >= lookup.minPromptTokens &&
        lookupMs(request, lookup.maxTokens) <= lookup.budgetMs
      if (!isAnswered) return { lmcache: { matchedTokens: null, promptTokens: null, ...known } }
      const sentTokens = () => own?.cachedTokens ?? {}
      const matchedTokens = controller.lookUp(request, { controllerType, lookup }, sentTokens)
      return { lmcache: { matchedTokens, promptTokens, ...known } }
    },
    begin: () => NO_ATTEMPT,
  }
}

function lookupMs({ trace: { promptTokens }, chunkKeys }: PreparedRequest, maxTokens: number): number {
  const { tokenizeMs, tokenizeMsPerToken, lookupMs: baseMs, lookupMsPerChunk } = LOOKUP_COSTS
  const chunks = Math.min(chunkKeys.length, Math.floor(maxTokens / 256))
  return tokenizeMs + promptTokens * tokenizeMsPerToken + baseMs + chunks * lookupMsPerChunk
}

/** Something that is read every so often; what is asked for in between is that old. */
class Polled<Value> {
  readonly #read: () => Value
  readonly #intervalMs: number
  #value: Value | null = null
  #readAtMs = 0

  constructor(read: () => Value, intervalMs: number) {
    this.#read = read
    this.#intervalMs = intervalMs
  }

  at(nowMs: number): Value {
    if (this.#value === null || nowMs - this.#readAtMs >= this.#intervalMs) {
      this.#value = this.#read()
      this.#readAtMs = nowMs
    }
    return this.#value
  }
}

/** What nobody can know: every cache and every queue as they are now, and what a token costs. */
export function engineKnowledge(workers: readonly VirtualWorker[], prefillMsPerToken: number): Knowledge {
  return {
    lookupFor: () => NO_LOOKUP,
    factsFor(request) {
      const cachedTokens = Object.fromEntries(workers.map((worker) => [worker.id, worker.cachedTokensOf(request)]))
      const backlogTokens = Object.fromEntries(workers.map((worker) => [worker.id, worker.backlogTokens()]))
      const { promptTokens } = request.trace
      return { prefix: { promptTokens, cachedTokens, backlogTokens, prefillMsPerToken } }
    },
    begin: () => NO_ATTEMPT,
  }
}
