// One sequence on its way through the engine: what a caller hands in, what it hears back, and the state between.

import { BlockChain } from './block-chain.ts'
import { ChunkKeys } from './lmcache/chunk-keys.ts'
import type { BlockHolding } from './prefix-cache.ts'

/** Tokens, or only how many, where `blocks` says what is in them. */
export type Tokens = readonly number[] | { readonly length: number }

export interface EngineRequest {
  readonly prompt: Tokens
  /** Tokens that will be generated; none for a pooling request, which ends with its prefill. */
  readonly output: Tokens
  readonly finishReason: 'stop' | 'length'
  /** Opens the block chain: model or adapter, and cache salt. */
  readonly cacheKey: string
  /** Hashes of the whole blocks of prompt and answer, for who hashed them before and runs them many times. */
  readonly blocks?: readonly number[]
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
  /** Prompt tokens computed or found in the cache, where the engine works in steps; 0 until its turn has come. */
  readonly prefilledTokens: number
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
  /** Keys of its chunks, for those who watch the cache. */
  readonly chunks: ChunkKeys
  readonly arrivedAt: number
  phase: 'waiting' | 'running' | 'ended'
  holding: BlockHolding | null
  cachedTokens: number
  /** Prompt tokens computed or found in the cache, where the engine works in steps. */
  prefilled: number
  /** Whether the engine's steps may take it up. */
  isReady: boolean
  emitted: number
  dueAt: number
  lastTokenAt: number
  isPaused: boolean
  cancelTimer: () => void
}

const noTimer = (): void => {}

/** A sequence that has just arrived. */
export function createSequence(
  request: EngineRequest,
  listener: EngineListener,
  { now, blockTokens }: { readonly now: number; readonly blockTokens: number },
): Sequence {
  const { prompt, blocks } = request
  const chain = new BlockChain(request.cacheKey, blockTokens)
  const whole = Math.floor(prompt.length / blockTokens)
  return {
    request,
    listener,
    chain,
    promptHashes: blocks?.slice(0, whole) ?? chain.pushAll(listOf(prompt)),
    chunks: new ChunkKeys(),
    arrivedAt: now,
    phase: 'waiting',
    holding: null,
    cachedTokens: 0,
    prefilled: 0,
    isReady: false,
    emitted: 0,
    dueAt: now,
    lastTokenAt: now,
    isPaused: false,
    cancelTimer: noTimer,
  }
}

/** The hash of the block that an answer's token completes: number `block`, null for a token within one. */
export function hashAfter({ request, chain }: Sequence, token: number, block: number | null): number | null {
  if (request.blocks === undefined) return chain.push(listOf(request.output)[token] ?? 0)
  return block === null ? null : (request.blocks[block] ?? null)
}

/** The key of a chunk. Of blocks hashed beforehand only that is known, and it stands for the content just as well. */
export function chunkKeyOf({ request, chunks }: Sequence, chunk: number, lastBlock: number): number {
  if (request.blocks !== undefined) return lastBlock
  const [prompt, output] = [listOf(request.prompt), listOf(request.output)]
  return chunks.keyOf(chunk, (at) => prompt[at] ?? output[at - prompt.length] ?? 0)
}

/** The tokens; none where only their number is known. */
function listOf(tokens: Tokens): readonly number[] {
  return Array.isArray(tokens) ? tokens : []
}
