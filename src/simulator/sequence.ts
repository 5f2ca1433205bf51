// One sequence on its way through the engine: what a caller hands in, what it hears back, and the state between.

import { BlockChain } from './block-chain.ts'
import type { BlockHolding } from './prefix-cache.ts'

export interface EngineRequest {
  readonly prompt: readonly number[]
  /** Tokens that will be generated; none for a pooling request, which ends with its prefill. */
  readonly output: readonly number[]
  readonly finishReason: 'stop' | 'length'
  /** Opens the block chain: model or adapter, and cache salt. */
  readonly cacheKey: string
}

export interface EngineListener {
  token(index: number): void
  /** The last call; not made after an abort. */
  finished(): void
}

/** A sequence from outside. */
export interface EngineRun {
  /** Prompt tokens found in the cache; 0 until the prefill has begun. */
  readonly cachedTokens: number
  /** Frees the slot at once; harmless when the sequence has ended. */
  abort(): void
  /** Stops generating but keeps the slot, as a stuck engine would. */
  pause(): void
  resume(): void
}

/** A sequence as the engine tracks it. */
export interface Sequence {
  readonly request: EngineRequest
  readonly listener: EngineListener
  readonly chain: BlockChain
  readonly promptHashes: readonly number[]
  readonly arrivedAt: number
  phase: 'waiting' | 'running' | 'ended'
  holding: BlockHolding | null
  cachedTokens: number
  emitted: number
  dueAt: number
  lastTokenAt: number
  isPaused: boolean
  cancelTimer: () => void
}

const noTimer = (): void => {}

/** A sequence that has just arrived. */
export function createSequence(request: EngineRequest, listener: EngineListener, now: number): Sequence {
  const chain = new BlockChain(request.cacheKey)
  return {
    request,
    listener,
    chain,
    promptHashes: chain.pushAll(request.prompt),
    arrivedAt: now,
    phase: 'waiting',
    holding: null,
    cachedTokens: 0,
    emitted: 0,
    dueAt: now,
    lastTokenAt: now,
    isPaused: false,
    cancelTimer: noTimer,
  }
}
