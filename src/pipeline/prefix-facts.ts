// Where the prompt of one request is cached, by what this router knows itself: asked anew for each decision, as the model
// and the backlog may be others by then. No work at all for policies that don't ask.

import type { PrefixFact } from '../routing/cache-facts.ts'
import type { PrefixNeeds } from '../routing/policy.ts'
import { hashPrompt, type PromptBlocks, type WrittenPrompt, writePrompt } from '../routing/prompt-blocks.ts'
import type { PromptCaches, PromptHold } from '../store/prompt-caches.ts'
import type { SharedPrefixHint, SharedPrefixes } from '../store/shared-prefixes.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'
import { noteStoreCall } from './store-call.ts'

/** Null for a policy that doesn't ask, and for requests without a prompt that could be cached. */
export function readPrompt(parts: RouterParts, exchange: Exchange, request: InferenceRequest): RequestPrompt | null {
  const needs = parts.config.policy.needs.prefix
  // What generates nothing leaves nothing in a cache that the next prompt could use.
  if (needs === undefined || request.json === null || exchange.tokenUse !== 'prompt_and_answer') return null
  const written = writePrompt(request.json)
  if (written === null) return null
  return new RequestPrompt(parts, { needs, written, streams: request.wantsStream, api: exchange.route ?? '' })
}

/** Has the prompt know who holds its beginning as others say, where nobody is known here. Never rejects. */
export function askOthers(
  { sharedPrefixes, mirror, platform: { now } }: Pick<RouterParts, 'sharedPrefixes' | 'mirror' | 'platform'>,
  prompt: RequestPrompt,
  {
    exchange,
    signal,
  }: { readonly exchange: Pick<Exchange, 'model' | 'steps' | 'tracing'>; readonly signal: AbortSignal },
): Promise<void> | null {
  const { model, steps } = exchange
  if (sharedPrefixes === null || prompt.isKnownHere(model)) return null
  const [chain = []] = prompt.blocksFor(model).chains
  if (chain.length === 0) return null
  const ask = async () => {
    const beganMs = now()
    const { hint, outcome } = await sharedPrefixes.find(chain, signal)
    prompt.noteHint(model, hint)
    if (outcome === 'not_asked') return
    noteStoreCall(exchange, 'read_prefix_hints', { startMs: beganMs, outcome })
    const isStale = hint !== null && !mirror.takes(hint.candidateId)
    steps.push({ step: 'shared_prefix', outcome: isStale ? 'stale' : outcome, ms: Math.max(0, now() - beganMs) })
  }
  return ask()
}

interface PromptOfRequest {
  readonly needs: PrefixNeeds
  readonly written: WrittenPrompt
  readonly streams: boolean
  readonly api: string
}

type Parts = Pick<RouterParts, 'platform' | 'promptCaches' | 'sharedPrefixes'>

export class RequestPrompt {
  readonly #caches: PromptCaches
  readonly #shared: SharedPrefixes | null
  readonly #now: () => number
  readonly #prompt: PromptOfRequest
  /** Of the model asked about last: chains of models are rare. */
  #blocks: { readonly model: string | null; readonly blocks: PromptBlocks } | null = null
  #hint: { readonly model: string | null; readonly hint: SharedPrefixHint | null } | null = null

  constructor({ platform, promptCaches, sharedPrefixes }: Parts, prompt: PromptOfRequest) {
    this.#caches = promptCaches
    this.#shared = sharedPrefixes
    this.#now = platform.now
    this.#prompt = prompt
  }

  blocksFor(model: string | null): PromptBlocks {
    if (this.#blocks === null || this.#blocks.model !== model) {
      const { needs, written } = this.#prompt
      this.#blocks = { model, blocks: hashPrompt(written, { model, blockBytes: needs.blockBytes }) }
    }
    return this.#blocks.blocks
  }

  isKnownHere(model: string | null): boolean {
    return this.#caches.index.match(this.blocksFor(model).chains).size > 0
  }

  noteHint(model: string | null, hint: SharedPrefixHint | null): void {
    this.#hint = { model, hint }
  }

  /** As things are now. */
  factFor(model: string | null): PrefixFact {
    const hint = this.#hint?.model === model ? this.#hint.hint : null
    return this.#caches.factOf(this.#forModel(model), this.#now(), hint)
  }

  /** An attempt begins; `fact` is what its decision knew. */
  begin(model: string | null, candidateId: string, fact: PrefixFact | null): PromptHold {
    const { streams, api } = this.#prompt
    return this.#caches.begin({ ...this.#forModel(model), candidateId, fact, streams, api, nowMs: this.#now() })
  }

  /** A candidate has answered: others may want to know. */
  tellOthers(model: string | null, candidateId: string, waitUntil: (task: Promise<unknown>) => void): void {
    const [chain] = this.#shared === null ? [] : this.blocksFor(model).chains
    if (chain !== undefined && chain.length > 0) this.#shared?.note(chain, candidateId, waitUntil)
  }

  #forModel(model: string | null) {
    return { blocks: this.blocksFor(model), model, needs: this.#prompt.needs }
  }
}
