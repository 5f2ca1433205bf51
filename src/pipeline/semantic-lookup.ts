// Looks for the answer to a question that means the same: only where everything but its text is equal to the letter, and
// only if its vector can be had in time.

import { responseKey } from '../cache/response-key.ts'
import type { Nearest } from '../cache/semantic-store.ts'
import { semanticQuestion } from '../cache/semantic-question.ts'
import type { StoredAnswer } from '../cache/response-store.ts'
import { SPAN_SEMANTIC_LOOKUP } from '../tracing/span-names.ts'
import type { CacheableRequest } from './cacheable-request.ts'
import type { Exchange } from './exchange.ts'
import { embedRequestText, type EmbeddingParts } from './request-embedding.ts'
import type { SemanticCache } from './semantic-cache.ts'
import { endSpan } from './step.ts'
import { beginStage } from './tracing.ts'

export interface SemanticFinding {
  /** Null when nothing near enough is known. */
  readonly nearest: Nearest | null
  /** Keeps the answer that a worker gives instead, and never rejects; null when it can't be kept. */
  readonly keep: ((answer: StoredAnswer) => Promise<void>) | null
}

/** A vector or a store that can't be had is a miss. */
const NOTHING: SemanticFinding = { nearest: null, keep: null }

/** Null for a request that is not looked up this way. Never rejects. */
export async function lookUpMeaning(
  parts: EmbeddingParts,
  exchange: Exchange,
  { asked, cache, signal }: { asked: CacheableRequest; cache: SemanticCache; signal: AbortSignal },
): Promise<SemanticFinding | null> {
  const terms = cache.termsFor(exchange.decided?.decision?.plugins.semanticCache ?? null)
  const question = terms === null || asked.semanticUse === 'bypass' ? null : semanticQuestion(asked.members)
  if (terms === null || question === null) return null
  const { server, timeoutMs: budgetMs } = cache.config
  const span = beginStage(exchange, SPAN_SEMANTIC_LOOKUP)
  const end = (outcome: string, similarity?: number) => {
    const status = outcome === 'hit' ? 'hit' : 'miss'
    endSpan(span, outcome, { 'cache.status': status, 'cache.backend': cache.backend, 'cache.similarity': similarity })
  }
  const [embedded, partitionKey] = await Promise.all([
    embedRequestText(parts, exchange, { server, text: question.text, budgetMs, signal, below: span }),
    responseKey(asked.keyed, question.rest, cache.basis),
  ])
  if (embedded.kind === 'failure') {
    end(embedded.reason)
    return NOTHING
  }
  const { vector } = embedded
  const lookup = await cache.nearest({ partitionKey, vector, partition: asked.keyed }, terms, signal)
  if (lookup === null) {
    end('unreachable')
    return NOTHING
  }
  const { epoch } = lookup
  const nearest = asked.semanticUse === 'use' ? lookup.nearest : null
  end(nearest === null ? 'miss' : 'hit', nearest?.similarity)
  return {
    nearest,
    keep: (answer) =>
      cache.put({ partitionKey, key: asked.key, vector, answer: { ...answer, epoch }, ttlMs: terms.ttlMs }),
  }
}
