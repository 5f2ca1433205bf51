// The model of one vLLM engine: running slots, a queue without bound, a prefix cache, and how long things take. Pure: with
// an injected clock and seeded jitter, the same engine serves real requests and replays traces in virtual time.

import { BLOCK_TOKENS } from './block-chain.ts'
import type { Clock } from './clock.ts'
import { createEngineStats } from './engine-stats.ts'
import type { EngineFinishReason, EngineStats } from './engine-stats.ts'
import { PrefixCache } from './prefix-cache.ts'
import { createRandom, gaussian } from './random.ts'
import type { Random } from './random.ts'
import { CHUNK_TOKENS } from './lmcache/chunk-keys.ts'
import { chunkKeyOf, createSequence, hashAfter } from './sequence.ts'
import type { EngineListener, EngineRequest, EngineRun, Sequence } from './sequence.ts'
import { StepLoop } from './step-loop.ts'

const MAX_JITTER = 0.7

export interface EngineOptions {
  readonly seed: number
  readonly maxNumSeqs: number
  readonly prefillOverheadMs: number
  readonly prefillMsPerToken: number
  readonly itlMs: number
  /** Standard deviation as a share of `itlMs`; draws are clamped to 70 % either way. */
  readonly itlJitter: number
  /** How much slower tokens come when every slot runs; 1 for no effect. */
  readonly loadFactor: number
  readonly kvBlocks: number
  /** Most tokens of a step that all sequences share; 0 lets each go at its own pace, whatever runs beside it. */
  readonly stepTokens: number
  /** Tokens of a block: 16 unless told. Larger ones replay long traces many times faster. */
  readonly blockTokens?: number
}

/** Told of what an engine's cache comes to hold and loses. */
export interface CacheWatcher {
  /** A block that ends a chunk is computed; `chunk` is the chunk's key. */
  stored(block: number, chunk: number): void
  /** Any block. */
  evicted(block: number): void
}

/** One engine, which is one data-parallel rank. */
export class Engine {
  readonly stats: EngineStats = createEngineStats()
  readonly cache: PrefixCache
  readonly #options: EngineOptions
  readonly #clock: Clock
  readonly #watcher: CacheWatcher | null
  readonly #random: Random
  readonly #blockTokens: number
  // Aborted sequences stay in the queue until they come up, so that an abort is not a search.
  #queue: Sequence[] = []
  #head = 0
  readonly #running = new Set<Sequence>()
  // Null where each sequence has a timer of its own.
  readonly #steps: StepLoop | null
  #isFrozen = false

  constructor(options: EngineOptions, clock: Clock, watcher: CacheWatcher | null = null) {
    this.#options = options
    this.#clock = clock
    this.#watcher = watcher
    this.#random = createRandom(options.seed)
    this.#blockTokens = options.blockTokens ?? BLOCK_TOKENS
    this.cache = new PrefixCache(options.kvBlocks, (block) => watcher?.evicted(block))
    this.#steps = options.stepTokens === 0 ? null : this.#createSteps()
  }

  #createSteps(): StepLoop {
    return new StepLoop(this.#options, this.#clock, {
      running: this.#running,
      admitNext: () => this.#admitNext(),
      decodeMs: () => this.#interTokenMs(),
      computed: (sequence) => this.#publishPrompt(sequence, Math.floor(sequence.prefilled / this.#blockTokens)),
      token: (sequence) => this.#stepOnce(sequence),
    })
  }

  submit(request: EngineRequest, listener: EngineListener): EngineRun {
    const sequence = createSequence(request, listener, { now: this.#clock.now(), blockTokens: this.#blockTokens })
    this.#queue.push(sequence)
    this.stats.waiting++
    this.#open(sequence)
    return {
      get cachedTokens() {
        return sequence.cachedTokens
      },
      get prefilledTokens() {
        return sequence.prefilled
      },
      abort: () => this.#abort(sequence),
      pause: () => {
        sequence.isPaused = true
        sequence.cancelTimer()
      },
      resume: () => this.#resume(sequence),
    }
  }

  #open(sequence: Sequence): void {
    if (this.#steps === null) return this.#admit()
    // What a request costs apart from its tokens passes before its turn comes, beside the steps of others.
    this.#clock.after(this.#options.prefillOverheadMs, () => {
      sequence.isReady = true
      this.#admit()
    })
  }

  /**
   * Stops the whole engine, or starts it again: what runs keeps its slots and gets no further, what comes waits. An engine
   * that is stuck looks like that, and so does one that sleeps.
   */
  setFrozen(isFrozen: boolean): void {
    if (isFrozen === this.#isFrozen) return
    this.#isFrozen = isFrozen
    this.#steps?.stop()
    for (const sequence of this.#running) {
      sequence.cancelTimer()
      sequence.dueAt = Math.max(sequence.dueAt, this.#clock.now())
      if (!sequence.isPaused) this.#schedule(sequence)
    }
    this.#admit()
  }

  #admit(): void {
    if (this.#isFrozen) return
    if (this.#steps !== null) return this.#steps.wake()
    while (this.#admitNext() !== null);
  }

  /** Gives the first that waits a slot; null when none waits, or it has to wait on. */
  #admitNext(): Sequence | null {
    while (this.stats.running < this.#options.maxNumSeqs) {
      const sequence = this.#queue[this.#head]
      if (sequence === undefined) return null
      const isWaiting = sequence.phase === 'waiting'
      if (isWaiting && !((this.#steps === null || sequence.isReady) && this.#tryStart(sequence))) return null
      this.#head++
      this.#shortenQueue()
      if (isWaiting) return sequence
    }
    return null
  }

  #shortenQueue(): void {
    if (this.#head <= 1024 || this.#head * 2 <= this.#queue.length) return
    this.#queue = this.#queue.slice(this.#head)
    this.#head = 0
  }

  #tryStart(sequence: Sequence): boolean {
    const { prompt } = sequence.request
    // The last prompt token is always computed: its logits give the first output token.
    const blockTokens = this.#blockTokens
    const hits = this.cache.countHits(sequence.promptHashes, Math.floor(Math.max(0, prompt.length - 1) / blockTokens))
    const blocks = Math.ceil(prompt.length / blockTokens)
    // A prompt larger than the whole cache runs alone, or it would wait for ever.
    if (this.stats.running > 0 && !this.cache.fits(sequence.promptHashes, hits, blocks)) return false
    sequence.holding = this.cache.hold(sequence.promptHashes, hits, blocks)
    sequence.cachedTokens = hits * blockTokens
    sequence.prefilled = sequence.cachedTokens
    sequence.phase = 'running'
    this.#running.add(sequence)
    this.#countStart(sequence)
    const { prefillOverheadMs, prefillMsPerToken } = this.#options
    const prefillMs = prefillOverheadMs + (prompt.length - sequence.cachedTokens) * prefillMsPerToken
    sequence.dueAt = this.#clock.now() + prefillMs
    if (this.#steps === null && !sequence.isPaused) this.#schedule(sequence)
    return true
  }

  #countStart(sequence: Sequence): void {
    const { stats } = this
    stats.waiting--
    stats.running++
    stats.prefixCacheQueries += sequence.request.prompt.length
    stats.prefixCacheHits += sequence.cachedTokens
    stats.queueSeconds.observe((this.#clock.now() - sequence.arrivedAt) / 1000)
  }

  #schedule(sequence: Sequence): void {
    if (this.#isFrozen) return
    if (this.#steps !== null) return this.#steps.wake()
    sequence.cancelTimer = this.#clock.after(Math.max(0, sequence.dueAt - this.#clock.now()), () =>
      this.#step(sequence),
    )
  }

  /** Emits every token that is due: a late timer catches up instead of slowing the model down. */
  #step(sequence: Sequence): void {
    if (sequence.emitted === 0) {
      this.stats.promptTokens += sequence.request.prompt.length
      this.#publishPrompt(sequence, sequence.promptHashes.length)
    }
    const { output } = sequence.request
    while (sequence.emitted < output.length) {
      this.#emit(sequence)
      if (sequence.phase === 'ended') return
      if (sequence.emitted === output.length) break
      sequence.dueAt += this.#interTokenMs()
      if (sequence.isPaused) return
      if (sequence.dueAt > this.#clock.now()) return this.#schedule(sequence)
    }
    this.#finish(sequence)
  }

  /** The same where steps give each sequence one token at a time. */
  #stepOnce(sequence: Sequence): void {
    const { prompt, output } = sequence.request
    if (sequence.emitted === 0) this.stats.promptTokens += prompt.length
    if (sequence.emitted < output.length) this.#emit(sequence)
    if (sequence.phase !== 'ended' && sequence.emitted === output.length) this.#finish(sequence)
  }

  /** The first `blocks` blocks of a prompt are computed. */
  #publishPrompt(sequence: Sequence, blocks: number): void {
    const { holding, promptHashes } = sequence
    if (holding === null) return
    const known = holding.computed.length
    for (const hash of promptHashes.slice(known, blocks)) this.cache.publish(holding, hash)
    this.#reportChunks(sequence, known)
  }

  /** Reports the chunks that were filled since the first `known` blocks were. */
  #reportChunks(sequence: Sequence, known: number): void {
    const { holding } = sequence
    if (this.#watcher === null || holding === null) return
    const { computed } = holding
    const perChunk = CHUNK_TOKENS / this.#blockTokens
    const full = Math.floor(computed.length / perChunk)
    for (let chunk = Math.floor(known / perChunk); chunk < full; chunk++) {
      const block = computed[(chunk + 1) * perChunk - 1] ?? 0
      this.#watcher.stored(block, chunkKeyOf(sequence, chunk, block))
    }
  }

  #emit(sequence: Sequence): void {
    const now = this.#clock.now()
    const index = sequence.emitted++
    // A token enters the cache when the next one is computed from it; the last one of an answer never does.
    if (index > 0) this.#cacheToken(sequence, index - 1)
    this.stats.generationTokens++
    if (index === 0) this.stats.firstTokenSeconds.observe((now - sequence.arrivedAt) / 1000)
    else this.stats.interTokenSeconds.observe((now - sequence.lastTokenAt) / 1000)
    sequence.lastTokenAt = now
    sequence.listener.token(index)
  }

  #cacheToken(sequence: Sequence, index: number): void {
    const { holding } = sequence
    if (holding === null) return
    const length = sequence.request.prompt.length + sequence.emitted - 1
    const inBlock = length % this.#blockTokens
    if (inBlock === 1) this.cache.allocate(holding, 1)
    const hash = hashAfter(sequence, index, inBlock === 0 ? length / this.#blockTokens - 1 : null)
    if (hash === null) return
    this.cache.publish(holding, hash)
    this.#reportChunks(sequence, holding.computed.length - 1)
  }

  #interTokenMs(): number {
    const { itlMs, itlJitter, loadFactor, maxNumSeqs } = this.#options
    const busy = maxNumSeqs > 1 ? (this.stats.running - 1) / (maxNumSeqs - 1) : 0
    const jitter = itlJitter > 0 ? gaussian(this.#random) * itlJitter : 0
    return itlMs * (1 + Math.max(-MAX_JITTER, Math.min(MAX_JITTER, jitter))) * (1 + (loadFactor - 1) * busy)
  }

  #finish(sequence: Sequence): void {
    this.stats.requestSeconds.observe((this.#clock.now() - sequence.arrivedAt) / 1000)
    this.#end(sequence, sequence.request.finishReason)
    sequence.listener.finished()
  }

  #abort(sequence: Sequence): void {
    if (sequence.phase !== 'ended') this.#end(sequence, 'abort')
  }

  #resume(sequence: Sequence): void {
    if (!sequence.isPaused) return
    sequence.isPaused = false
    sequence.dueAt = Math.max(sequence.dueAt, this.#clock.now())
    if (sequence.phase === 'running') this.#schedule(sequence)
  }

  #end(sequence: Sequence, reason: EngineFinishReason): void {
    sequence.cancelTimer()
    if (this.#running.delete(sequence)) this.stats.running--
    else this.stats.waiting--
    sequence.phase = 'ended'
    if (sequence.holding !== null) this.cache.release(sequence.holding)
    this.stats.finished[reason]++
    this.#admit()
  }
}
