// What engines, routers and the controller see of each request of a trace, worked out once and used by every run.

import { hash64 } from '../../src/routing/hash.ts'
import { hashPrompt, writePrompt } from '../../src/routing/prompt-blocks.ts'
import type { Affinity } from '../../src/routing/policy.ts'
import { CHUNK_TOKENS } from '../../src/simulator/lmcache/chunk-keys.ts'
import { textOf } from './prompts.ts'
import { TRACE_BLOCK_TOKENS, type TraceRequest } from './trace.ts'

/** The one model of the fleet. */
export const MODEL = 'bench/model'

/** Hashes from here on are of blocks that no other request has. */
const FIRST_OWN_BLOCK = 2 ** 31

/** Blocks that one request may have of its own. */
const OWN_BLOCKS = 2 ** 14

export interface PreparedRequest {
  readonly at: number
  readonly trace: TraceRequest
  /** Hashes of the engine's blocks over prompt and answer. */
  readonly blocks: readonly number[]
  /** Keys of LMCache's chunks of the prompt. */
  readonly chunkKeys: readonly number[]
  readonly session: Affinity
}

export interface PreparedTrace {
  readonly requests: readonly PreparedRequest[]
  /** Hashes of the router's blocks, and the size in bytes that the router sees: made when first asked for. */
  promptOf(request: PreparedRequest, blockBytes: number): RouterPrompt
}

export interface RouterPrompt {
  readonly chains: readonly (readonly string[])[]
  readonly bytes: number
}

/** `blockTokens` divides a chunk of LMCache: 16 for an engine as it is, 256 for one that is many times faster. */
export function prepare(requests: readonly TraceRequest[], blockTokens: number): PreparedTrace {
  const prompts = new Map<PreparedRequest, RouterPrompt>()
  return {
    requests: requests.map((trace, at) => prepareRequest(trace, at, blockTokens)),
    promptOf(request, blockBytes) {
      const known = prompts.get(request)
      if (known !== undefined) return known
      const prompt = toRouterPrompt(request.trace, blockBytes)
      prompts.set(request, prompt)
      return prompt
    },
  }
}

function prepareRequest(trace: TraceRequest, at: number, blockTokens: number): PreparedRequest {
  const perChunk = CHUNK_TOKENS / blockTokens
  const ofPrompt = blocksOf({ ...trace, outputTokens: 0 }, at, blockTokens)
  return {
    at,
    trace,
    blocks: blocksOf(trace, at, blockTokens),
    // Engines that get blocks hashed beforehand know a chunk by its last one.
    chunkKeys: ofPrompt.filter((_, block) => block % perChunk === perChunk - 1),
    session: sessionOf(trace),
  }
}

/** Of each block one number: its place in a block of the trace, or one of its own where the answer has begun. */
function blocksOf(trace: TraceRequest, at: number, blockTokens: number): number[] {
  const inTraceBlock = TRACE_BLOCK_TOKENS / blockTokens
  const ofPrompt = Math.floor(trace.promptTokens / blockTokens)
  const count = Math.floor((trace.promptTokens + trace.outputTokens) / blockTokens)
  return Array.from({ length: count }, (_, block) =>
    block < ofPrompt
      ? (trace.blocks[Math.floor(block / inTraceBlock)] ?? 0) * inTraceBlock + (block % inTraceBlock)
      : FIRST_OWN_BLOCK + at * OWN_BLOCKS + block - ofPrompt,
  )
}

/**
 * The traces name no sessions. What two requests of one conversation have in common is its beginning: the first 1,024
 * tokens stand for the session id that a client would send. (The first 512 are the same for a whole trace.)
 */
function sessionOf({ blocks }: TraceRequest): Affinity {
  return { source: 'header:x-session-id', hash: hash64(blocks.slice(0, 2).join()) }
}

function toRouterPrompt(trace: TraceRequest, blockBytes: number): RouterPrompt {
  const written = writePrompt({ messages: [{ role: 'user', content: textOf(trace) }] })
  if (written === null) return { chains: [], bytes: 0 }
  const { chains, bytes } = hashPrompt(written, { model: MODEL, blockBytes })
  return { chains, bytes }
}
