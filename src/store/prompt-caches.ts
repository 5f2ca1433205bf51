// What this process or isolate knows of the KV caches of workers, and of what prompts cost there. Outlives
// configurations: what was learned stays true.

import type { PrefixFact } from '../routing/cache-facts.ts'
import type { PrefixNeeds } from '../routing/policy.ts'
import type { PromptBlocks } from '../routing/prompt-blocks.ts'
import { CachedCounts } from './cached-counts.ts'
import { type Prefill, PrefillBacklog } from './prefill-backlog.ts'
import { PrefillCosts } from './prefill-costs.ts'
import { type IndexedPrompt, PrefixIndex } from './prefix-index.ts'
import type { SharedPrefixHint } from './shared-prefixes.ts'

/** Memory of the index where nobody says otherwise: some 90,000 blocks, near 46 million tokens. */
export const DEFAULT_INDEX_BYTES = 16 * 1024 * 1024

/** A queue of less than this part of what the request itself had to prefill doesn't make its first byte much later. */
const LITTLE_QUEUE = 0.1

/** How much longer than foreseen the prefill of an answer that comes whole may take before it no longer counts. */
const PREFILL_MARGIN = 1.5

/** One prompt for one model. */
export interface PromptForModel {
  readonly blocks: PromptBlocks
  readonly model: string | null
  readonly needs: PrefixNeeds
}

export interface PromptAttempt extends PromptForModel {
  readonly candidateId: string
  /** What the decision knew; null when nobody asked. */
  readonly fact: PrefixFact | null
  readonly nowMs: number
  /** Whether the first byte tells that the prompt is prefilled. */
  readonly streams: boolean
  /** Which of a worker's APIs it goes through: what answers count differs between them. */
  readonly api: string
}

/** Tokens of a request as its worker counted them. */
export interface CountedTokens {
  readonly promptTokens: number | null
  readonly cachedTokens: number | null
}

export class PromptCaches {
  readonly costs = new PrefillCosts()
  readonly backlog = new PrefillBacklog()
  readonly index = new PrefixIndex({ maxBytes: DEFAULT_INDEX_BYTES, maxBlocksEach: null })
  readonly counts = new CachedCounts((candidateId) => this.index.forgetRoom(candidateId))
  #places: ReadonlyMap<string, string> = new Map()

  /**
   * A configuration begins: its limits hold, and what is no longer among its candidates is forgotten. So is one whose URL
   * has changed, as another machine may have its name now. `places` are URLs by candidate id.
   */
  use(needs: PrefixNeeds | undefined, places: ReadonlyMap<string, string>): void {
    const kept = new Set([...places].filter(([id, url]) => (this.#places.get(id) ?? url) === url).map(([id]) => id))
    this.#places = places
    this.index.retain(kept)
    this.counts.retain(kept)
    if (needs === undefined) return
    const { blockBytes, indexBytes = DEFAULT_INDEX_BYTES, workerBytes = null } = needs
    const maxBlocksEach = workerBytes === null ? null : Math.max(1, Math.floor(workerBytes / blockBytes))
    this.index.setLimits({ maxBytes: indexBytes, maxBlocksEach })
  }

  /** What a decision can know. Only looks. `hint` is what others say where nobody is known here. */
  factOf({ blocks, model, needs }: PromptForModel, nowMs: number, hint: SharedPrefixHint | null = null): PrefixFact {
    const promptTokens = this.#tokensOf(blocks, model)
    const perBlock = this.#tokensPerBlock(blocks, model)
    const cachedTokens: Record<string, number> = {}
    const note = (id: string, held: number) => (cachedTokens[id] = Math.min(promptTokens, Math.round(held * perBlock)))
    for (const [id, held] of this.index.match(blocks.chains)) note(id, held)
    if (hint !== null && cachedTokens[hint.candidateId] === undefined) note(hint.candidateId, hint.blocks)
    return {
      promptTokens,
      cachedTokens,
      backlogTokens: this.backlog.all(nowMs),
      prefillMsPerToken: roundTo4(this.costs.prefillMsPerToken(model, needs.prefillMsPerToken)),
    }
  }

  /** An attempt with this prompt begins. */
  begin(attempt: PromptAttempt): PromptHold {
    const { blocks, model, candidateId, fact, nowMs, streams } = attempt
    const cachedTokens = fact?.cachedTokens[candidateId] ?? 0
    const isForeseen = cachedTokens > 0
    const uncachedTokens = Math.max(0, (fact?.promptTokens ?? this.#tokensOf(blocks, model)) - cachedTokens)
    const ahead = this.backlog.tokensOn(candidateId, nowMs)
    const msPerToken = fact?.prefillMsPerToken ?? attempt.needs.prefillMsPerToken
    const untilMs = streams ? Number.POSITIVE_INFINITY : nowMs + (ahead + uncachedTokens) * msPerToken * PREFILL_MARGIN
    return new PromptHold(this, attempt, {
      isForeseen,
      uncachedTokens,
      hasLittleQueue: ahead <= uncachedTokens * LITTLE_QUEUE,
      indexed: this.index.begin(candidateId, blocks.chains),
      prefill: this.backlog.begin(candidateId, { tokens: uncachedTokens, beganMs: nowMs, msPerToken, untilMs }),
    })
  }

  #tokensOf({ tokens, bytes }: PromptBlocks, model: string | null): number {
    return tokens ?? Math.ceil(bytes / this.costs.bytesPerToken(model))
  }

  #tokensPerBlock({ tokens, bytes, blockBytes }: PromptBlocks, model: string | null): number {
    return blockBytes / (tokens === null ? this.costs.bytesPerToken(model) : bytes / tokens)
  }
}

interface Held {
  readonly isForeseen: boolean
  readonly uncachedTokens: number
  readonly hasLittleQueue: boolean
  readonly indexed: IndexedPrompt
  readonly prefill: Prefill
}

/** What one attempt has noted of its prompt; each method counts once. */
export class PromptHold {
  readonly #learned: Pick<PromptCaches, 'costs' | 'counts'>
  readonly #attempt: PromptAttempt
  readonly #held: Held
  #firstByteMs: number | null = null
  #isOver = false

  constructor(learned: Pick<PromptCaches, 'costs' | 'counts'>, attempt: PromptAttempt, held: Held) {
    this.#learned = learned
    this.#attempt = attempt
    this.#held = held
  }

  /** The worker never got the prompt. */
  takeBack(): void {
    this.end()
    if (!this.#isOver) this.#held.indexed.takeBack()
    this.#isOver = true
  }

  /** The first byte of a stream is here. */
  noteFirstByte(nowMs: number): void {
    this.#held.prefill.end(nowMs)
    this.#firstByteMs ??= nowMs - this.#attempt.nowMs
  }

  /** The answer is over, however far it got; `usage` is null where the worker did not count. */
  noteAnswer(usage: CountedTokens | null): void {
    this.end()
    if (this.#isOver) return
    this.#isOver = true
    const { indexed } = this.#held
    indexed.confirm()
    this.#learn(usage)
  }

  /** The prompt no longer waits to be prefilled. */
  end(): void {
    this.#held.prefill.end()
  }

  #learn(usage: CountedTokens | null): void {
    const { costs } = this.#learned
    const { blocks, model, needs } = this.#attempt
    const { indexed, uncachedTokens, hasLittleQueue } = this.#held
    const { counted, cached } = this.#counted(usage)
    if (blocks.tokens === null && counted > 0) costs.noteTokens(model, { bytes: blocks.bytes, tokens: counted })
    // Of a batch nobody can tell which of its prompts were found.
    if (cached !== null && blocks.chains.length === 1) {
      indexed.correct(Math.round((cached * blocks.bytes) / counted / blocks.blockBytes))
    }
    if (this.#firstByteMs === null || !hasLittleQueue) return
    costs.noteFirstByte(model, {
      uncachedTokens: cached === null ? uncachedTokens : counted - cached,
      ms: this.#firstByteMs,
      expectedMsPerToken: needs.prefillMsPerToken,
    })
  }

  /** Tokens of the prompt, 0 where nobody counted them, and how many of them were cached, null where that is not known. */
  #counted(usage: CountedTokens | null): { readonly counted: number; readonly cached: number | null } {
    const said = usage?.promptTokens ?? 0
    if (said === 0) return { counted: 0, cached: null }
    const { candidateId, api } = this.#attempt
    const { isForeseen } = this.#held
    const answer = { candidateId, api, cachedTokens: usage?.cachedTokens ?? null, isForeseen }
    const cached = this.#learned.counts.read(answer)
    // Of Anthropic's API it is the rule that what came from a cache is counted apart.
    return { counted: cached !== null && cached > said ? said + cached : said, cached }
  }
}

/** Four digits are more than is known, and keep records short. */
function roundTo4(value: number): number {
  return Number(value.toPrecision(4))
}
