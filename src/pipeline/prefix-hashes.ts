// Hashes of a prompt's blocks for its record, where the operator wants them: what two prompts share can be counted from
// them, for a model of the workers' prefix caches. Nothing of the text is kept.

import { hash64 } from '../routing/hash.ts'
import { promptText } from '../routing/prompt-beginning.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

/** UTF-8 bytes of a block, some 512 tokens; up to three fewer where a character would be cut. */
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
  if (isBatch(json['prompt']) || hasStoredBeginning(json)) return null
  const text = promptText(json, MAX_PREFIX_BLOCKS * PREFIX_BLOCK_BYTES)
  if (text === null) return null
  // Caches are apart by model and salt, and templates write tools before the first message.
  let before = hash64(JSON.stringify([model, json['cache_salt'], json['tools']]))
  const hashes: string[] = []
  for (const block of wholeBlocksOf(text)) {
    before = hash64(before + block)
    hashes.push(before)
  }
  return hashes.length === 0 ? null : hashes
}

function* wholeBlocksOf(text: string): Iterable<string> {
  const encoder = new TextEncoder()
  const room = new Uint8Array(PREFIX_BLOCK_BYTES)
  for (let at = 0, count = 0; at < text.length && count < MAX_PREFIX_BLOCKS; count += 1) {
    const { read, written } = encoder.encodeInto(text.slice(at, at + PREFIX_BLOCK_BYTES), room)
    const end = at + read
    if (written < PREFIX_BLOCK_BYTES && end === text.length) return
    yield text.slice(at, end)
    at = end
  }
}

function isBatch(prompt: unknown): boolean {
  return Array.isArray(prompt) && prompt.length > 1 && typeof prompt[0] !== 'number'
}

function hasStoredBeginning(json: HashedPrompt['json']): boolean {
  return STORED_FIELDS.some((name) => (json[name] ?? null) !== null)
}

/** Of the Responses API: what comes before is where the worker keeps it. */
const STORED_FIELDS = ['previous_response_id', 'conversation']
