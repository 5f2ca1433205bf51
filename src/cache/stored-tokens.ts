// The token cache itself: memory first, then the shared store within its budget, then the tokenizer, asked once for equal
// prompts at a time where requests can wait for each other.

import { type CallBounds, callWithin } from '../store/bounded-call.ts'
import type { MessagePrefixes, PrefixLookup } from './message-prefixes.ts'
import { SingleFlight } from './single-flight.ts'
import { keyOf, type TemplateInput } from './template-input.ts'
import { type AskingRequest, type FoundIds, type LoadIds, type TokenCache, toIds } from './token-cache.ts'
import type { TokenMemory } from './token-memory.ts'
import type { TokenStore } from './token-store.ts'

export interface StoredTokensOptions {
  readonly memory: TokenMemory
  /** Null where ids are kept in memory alone. */
  readonly shared: { readonly store: TokenStore; readonly reads: CallBounds; readonly writes: CallBounds } | null
  /** Null where only whole prompts are known again. */
  readonly prefixes: MessagePrefixes | null
  /** Whether a request may wait for what another one does. */
  readonly canJoin: boolean
}

/** Longer ones are kept in memory alone: what is shared is written and read over a network. */
const MAX_SHARED_IDS = 262_144

const NEVER = new AbortController().signal

export class StoredTokens implements TokenCache {
  readonly #options: StoredTokensOptions
  /** Null where no request may wait for another. */
  readonly #flights: SingleFlight<FoundIds> | null

  constructor(options: StoredTokensOptions) {
    this.#options = options
    this.#flights = options.canJoin ? new SingleFlight() : null
  }

  entries(): number {
    return this.#options.memory.size().entries
  }

  async idsFor(prompt: TemplateInput, load: LoadIds, request: AskingRequest): Promise<FoundIds | null> {
    const key = await keyOf(prompt)
    const ids = this.#options.memory.get(key)
    if (ids !== null) return { ids, source: 'memory', isWhole: true }
    if (this.#flights === null) return this.#find(key, prompt, load, request)
    const flight = this.#flights.join(key)
    if (flight !== null) {
      const found = await unlessAborted(flight, request.signal)
      if (found !== null || request.signal.aborted) return found && { ...found, source: 'joined' }
      // Whoever was asking may have left, or had less time.
    }
    const lead = this.#flights.lead(key)
    try {
      const found = await this.#find(key, prompt, load, request)
      if (found !== null) lead.land(found)
      return found
    } finally {
      lead.leave()
    }
  }

  async #find(key: string, prompt: TemplateInput, load: LoadIds, request: AskingRequest): Promise<FoundIds | null> {
    const lookup = this.#options.prefixes?.lookup(prompt) ?? null
    const here = lookup && this.#leadingInMemory(lookup)
    if (here !== null && isEnough(here, lookup, request.wanted)) return here.found
    const known = (await this.#findShared(key, lookup, request)) ?? here
    if (known !== null && isEnough(known, lookup, request.wanted)) return known.found
    const ids = toIds(await load(prompt.fields))
    if (ids === null) return null
    this.#keep(key, ids, request)
    if (lookup !== null) {
      if (known !== null) lookup.compare(known.found.ids, ids)
      this.#keepPrefixes(lookup, ids, load, request)
    }
    return { ids, source: 'loaded', isWhole: true }
  }

  #leadingInMemory(lookup: PrefixLookup): Known | null {
    for (const [index, key] of lookup.keys.entries()) {
      const ids = this.#options.memory.get(key)
      if (ids !== null) return { found: { ids, source: 'prefix', isWhole: false }, index }
    }
    return null
  }

  async #findShared(key: string, lookup: PrefixLookup | null, request: AskingRequest): Promise<Known | null> {
    const { shared, memory } = this.#options
    if (shared === null) return null
    const keys = [key, ...(lookup?.keys ?? [])]
    const { budgetMs: ownMs = Number.POSITIVE_INFINITY, signal: left } = request
    const reads = { ...shared.reads, budgetMs: Math.min(shared.reads.budgetMs, ownMs) }
    const outcome = await callWithin(reads, left, (signal) => shared.store.findFirst(keys, signal))
    if (outcome.kind !== 'answer' || outcome.value === null) return null
    const { index, ids } = outcome.value
    memory.set(keys[index] ?? key, ids)
    const isWhole = index === 0
    return { found: { ids, source: isWhole ? 'shared' : 'prefix', isWhole }, index: index - 1 }
  }

  #keep(key: string, ids: Uint32Array, { waitUntil }: AskingRequest): void {
    const { shared, memory } = this.#options
    memory.set(key, ids)
    if (shared === null || ids.length > MAX_SHARED_IDS) return
    waitUntil(callWithin(shared.writes, NEVER, (signal) => shared.store.put(key, ids, signal)))
  }

  #keepPrefixes(lookup: PrefixLookup, ids: Uint32Array, load: LoadIds, request: AskingRequest): void {
    const { whole } = lookup
    const leading = whole === null ? null : lookup.leadingOf(ids)
    if (whole !== null && leading !== null) this.#keep(whole, leading, request)
    const opening = lookup.opening()
    if (opening === null || this.#options.memory.get(opening.key) !== null) return
    request.waitUntil(this.#learnOpening(opening, lookup, ids, load, request))
  }

  /** Never rejects. */
  async #learnOpening(
    opening: NonNullable<ReturnType<PrefixLookup['opening']>>,
    lookup: PrefixLookup,
    whole: Uint32Array,
    load: LoadIds,
    request: AskingRequest,
  ): Promise<void> {
    // Not known is as good as not learned.
    const alone = toIds(await load(opening.fields).catch(() => null))
    const leading = alone && lookup.leadingOf(alone)
    if (leading === null || !lookup.compare(leading, whole)) return
    this.#keep(opening.key, leading, request)
  }
}

interface Known {
  readonly found: FoundIds
  /** Which of the lookup's keys it was found under; -1 for the whole prompt. */
  readonly index: number
}

function isEnough({ found, index }: Known, lookup: PrefixLookup | null, wanted: number | undefined): boolean {
  return found.isWhole || lookup?.suffices(index, found.ids, wanted) === true
}

/** What another request finds, unless this one has to go first; null when it finds nothing. */
async function unlessAborted(flight: Promise<FoundIds | null>, signal: AbortSignal): Promise<FoundIds | null> {
  if (signal.aborted) return null
  let leave = () => {}
  const left = new Promise<null>((resolve) => (leave = () => resolve(null)))
  signal.addEventListener('abort', leave)
  try {
    return await Promise.race([flight, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
