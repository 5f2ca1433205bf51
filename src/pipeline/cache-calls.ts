// Calls to a place where answers are kept off this process: within a budget of time, and not at all while it fails. What goes
// wrong is told once, and is a miss.

import type { Platform } from '../platform.ts'
import { type CallBounds, type CallGate, callWithin } from '../store/bounded-call.ts'
import { createBreaker } from '../upstream/breaker.ts'
import type { PipelineEvents } from './events.ts'

export interface CacheCallsOptions {
  readonly backend: string
  /** For each read, and each write. */
  readonly budgetMs: number
  readonly platform: Pick<Platform, 'now' | 'after'>
  readonly events: CacheEvents
}

/** Who hears of a place that fails, and that works again. */
export type CacheEvents = Pick<PipelineEvents, 'cacheFailed' | 'cacheRecovered'>

type Call<Value> = (signal: AbortSignal) => Promise<Value>

/** An order has somebody who waits for it. */
const ORDER_MS = 5_000

export class CacheCalls {
  readonly #options: CacheCallsOptions
  /** A place that is too slow for a read may be quick enough for a write. */
  readonly #reads: CallBounds
  readonly #writes: CallBounds
  /** Those of the two that failed last time. */
  readonly #failing = new Set<CallBounds>()

  constructor(options: CacheCallsOptions) {
    const { budgetMs, platform } = options
    this.#options = options
    const { after, now } = platform
    this.#reads = { budgetMs, after, gate: createBreaker({ now }) }
    this.#writes = { budgetMs, after, gate: createBreaker({ now }) }
  }

  /** Null when nothing came of it. Never rejects. */
  read<Value>(signal: AbortSignal, call: Call<Value>): Promise<Value | null> {
    return this.#ask(this.#reads, signal, call)
  }

  /** Off the request's path. Never rejects. */
  async write(call: Call<void>): Promise<void> {
    await this.#ask(this.#writes, neverAborted(), call)
  }

  /** For an operator, who hears whether it worked: rejects when it did not. */
  async order(call: Call<void>): Promise<void> {
    const outcome = await callWithin({ ...this.#writes, gate: ALWAYS, budgetMs: ORDER_MS }, neverAborted(), call)
    if (outcome.kind !== 'answer') throw new Error(`the ${this.#options.backend} cache: ${outcome.kind}`)
  }

  async #ask<Value>(bounds: CallBounds, signal: AbortSignal, call: Call<Value>): Promise<Value | null> {
    const outcome = await callWithin(bounds, signal, call)
    const { backend, events } = this.#options
    if (outcome.kind === 'answer') {
      if (this.#failing.delete(bounds) && this.#failing.size === 0) events.cacheRecovered({ backend })
      return outcome.value
    }
    // An open breaker says nothing new: what opened it has been told.
    if (outcome.kind === 'timeout' || outcome.kind === 'error') {
      this.#failing.add(bounds)
      const cause = outcome.kind === 'error' ? outcome.cause : null
      events.cacheFailed({ backend, why: outcome.kind, cause })
    }
    return null
  }
}

const ALWAYS: CallGate = { enter: () => ({ succeeded() {}, failed() {}, calledOff() {} }) }

function neverAborted(): AbortSignal {
  return new AbortController().signal
}
