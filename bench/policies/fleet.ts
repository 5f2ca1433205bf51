// Simulated engines in virtual time, with what a worker tells others of itself.

import { Engine, type CacheWatcher, type EngineOptions } from '../../src/simulator/engine.ts'
import { BLOCK_TOKENS } from '../../src/simulator/block-chain.ts'
import type { VirtualClock } from '../../src/simulator/clock.ts'
import type { EngineRun } from '../../src/simulator/sequence.ts'
import { MODEL, type PreparedRequest } from './prepared.ts'

/** An engine as `simulator/engine.ts` has it, but for its seed. */
export type EngineModel = Omit<EngineOptions, 'seed'>

/** What a request hears of its answer. */
export interface AnswerListener {
  firstToken(): void
  ended(cachedTokens: number): void
}

export class VirtualWorker {
  readonly id: string
  readonly engine: Engine
  readonly #blockTokens: number
  /** Requests whose prompt is not all computed yet. */
  readonly #waiting = new Map<PreparedRequest, EngineRun>()
  /** How many of them have each block. */
  readonly #coming = new Map<number, number>()

  constructor(id: string, options: EngineOptions, dependencies: { clock: VirtualClock; watcher: CacheWatcher | null }) {
    this.id = id
    this.engine = new Engine(options, dependencies.clock, dependencies.watcher)
    this.#blockTokens = options.blockTokens ?? BLOCK_TOKENS
  }

  /** Leading tokens of a prompt that are in the cache, or will be once those before it are computed. */
  cachedTokensOf(request: PreparedRequest): number {
    const whole = this.#wholeBlocks(request)
    let hits = this.engine.cache.countHits(request.blocks, whole)
    while (hits < whole && this.#coming.has(request.blocks[hits] ?? -1)) hits += 1
    return hits * this.#blockTokens
  }

  /** Tokens of prompts that are still to be computed. */
  backlogTokens(): number {
    let tokens = 0
    for (const [request, run] of this.#waiting) {
      const known = Math.max(
        run.prefilledTokens,
        this.engine.cache.countHits(request.blocks, this.#wholeBlocks(request)) * this.#blockTokens,
      )
      tokens += request.trace.promptTokens - known
    }
    return tokens
  }

  submit(request: PreparedRequest, listener: AnswerListener): void {
    const { promptTokens, outputTokens } = request.trace
    const run = this.engine.submit(
      {
        prompt: { length: promptTokens },
        output: { length: outputTokens },
        finishReason: 'stop',
        cacheKey: MODEL,
        blocks: request.blocks,
      },
      {
        token: (index) => {
          if (index > 0) return
          this.#waiting.delete(request)
          this.#count(request, -1)
          listener.firstToken()
        },
        finished: () => listener.ended(run.cachedTokens),
      },
    )
    this.#waiting.set(request, run)
    this.#count(request, 1)
  }

  #count(request: PreparedRequest, by: number): void {
    for (const block of request.blocks.slice(0, this.#wholeBlocks(request))) {
      const count = (this.#coming.get(block) ?? 0) + by
      if (count === 0) this.#coming.delete(block)
      else this.#coming.set(block, count)
    }
  }

  /** The last token of a prompt is always computed. */
  #wholeBlocks({ trace }: PreparedRequest): number {
    return Math.floor((trace.promptTokens - 1) / this.#blockTokens)
  }
}
