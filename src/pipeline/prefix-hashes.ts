// Hashes of a prompt's blocks for its record, where the operator wants them: what two prompts share can be counted from
// them, for a model of the workers' prefix caches. Nothing of the text is kept.

import { hashPrompt, writePrompt } from '../routing/prompt-blocks.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

/** UTF-8 bytes of a block, some 512 tokens; a policy may have blocks of another size. */
export const PREFIX_BLOCK_BYTES = 2048

/** A prompt of 1 MiB; what is longer has those of its beginning. */
export const MAX_PREFIX_BLOCKS = 512

/** What the hashes are made of. */
export interface HashedPrompt {
  readonly json: Readonly<Record<string, unknown>>
  /** The model it was routed to: caches are of one model. */
  readonly model: string | null
}

/** Keeps the body for the time of the request: it is hashed once the answer is over. */
export function notePrompt(exchange: Exchange, { json }: Pick<InferenceRequest, 'json'>): void {
  // What generates nothing leaves nothing in a cache that the next prompt could use.
  if (exchange.config.decisionLog.includesPrefixHashes && exchange.tokenUse === 'prompt_and_answer') {
    exchange.promptBody = json
  }
}

/**
 * One hash for each whole block, each of its block and all before it. Null for a prompt without one, and where the body
 * does not hold the beginning of one prompt: a batch, or what goes on from something stored.
 */
export function prefixHashesOf({ json, model }: HashedPrompt): readonly string[] | null {
  const written = writePrompt(json)
  if (written === null || written.prompts.length !== 1) return null
  const [hashes = []] = hashPrompt(written, { model, blockBytes: PREFIX_BLOCK_BYTES }).chains
  return hashes.length === 0 ? null : hashes
}
