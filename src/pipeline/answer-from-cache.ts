// The stage between the model and the facts: answers a request from the response caches, or sees to it that its answer can
// be kept.

import type { Lookup, StoredAnswer } from '../cache/response-store.ts'
import { SPAN_EXACT_LOOKUP } from '../tracing/span-names.ts'
import { AnswerKeeper } from './answer-keeper.ts'
import { type CacheableRequest, toCacheable } from './cacheable-request.ts'
import { closeExchange } from './close.ts'
import type { CacheNote, Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { ALONE, type Joined, joinOthers } from './join-others.ts'
import { ageMs } from './response-cache.ts'
import type { RouterParts } from './router-parts.ts'
import { setRoutingHeaders } from './routing-headers.ts'
import { lookUpMeaning, type SemanticFinding } from './semantic-lookup.ts'
import { endSpan } from './step.ts'
import { beginStage } from './tracing.ts'

/** The answer, when a cache has it; null when a worker has to be asked. Throws when the client leaves meanwhile. */
export async function answerFromCache(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
): Promise<Response | null> {
  const asked = await toCacheable(parts, exchange, request)
  if (asked === null) return null
  const { key } = asked
  const missed = (isAsked: boolean): CacheNote => {
    return { status: isAsked ? 'miss' : 'bypass', key, similarity: null, keeper: null }
  }
  exchange.cache = missed(asked.exactUse === 'use')
  const kept = (answer: StoredAnswer, note: Pick<CacheNote, 'status' | 'key' | 'similarity'>) =>
    deliverKept(parts, exchange, request, { answer, note: { ...note, keeper: null } })

  const lookup = await lookUp(parts, exchange, asked, request)
  const known = asked.exactUse === 'use' ? (lookup?.answer ?? null) : null
  if (known !== null) return kept(known, { status: 'exact-hit', key, similarity: null })
  const meaning = await meaningOf(parts, exchange, request, asked)
  const nearest = meaning?.nearest ?? null
  if (nearest !== null) return kept(nearest.answer, { ...nearest, status: 'semantic-hit' })
  const { answer, lead } = await join(parts, asked, request, lookup)
  if (answer !== null) return kept(answer, { status: 'exact-hit', key, similarity: null })
  exchange.cache = {
    ...missed(asked.exactUse === 'use' || (asked.semanticUse === 'use' && meaning !== null)),
    keeper: keeperFor(parts, exchange, request, { asked, lookup, meaning, lead }),
  }
  return null
}

/** Null where there is no exact cache for this request, or none that could be asked. */
async function lookUp(
  { responseCache: cache }: RouterParts,
  exchange: Exchange,
  { key, keyed, exactUse }: CacheableRequest,
  { signal }: InferenceRequest,
): Promise<Lookup | null> {
  if (cache === null || exactUse === 'bypass') return null
  const span = beginStage(exchange, SPAN_EXACT_LOOKUP)
  const found = await cache.find(key, keyed, signal)
  const isHit = exactUse === 'use' && found !== null && found.answer !== null
  const outcome = found === null ? 'unreachable' : exactUse === 'refresh' ? 'refresh' : isHit ? 'hit' : 'miss'
  endSpan(span, outcome, { 'cache.status': isHit ? 'hit' : 'miss', 'cache.backend': cache.backend })
  return found
}

async function meaningOf(
  parts: RouterParts,
  exchange: Exchange,
  { signal }: InferenceRequest,
  asked: CacheableRequest,
): Promise<SemanticFinding | null> {
  const { semanticCache: cache } = parts
  return cache === null ? null : lookUpMeaning(parts, exchange, { asked, cache, signal })
}

/** A stream is not waited for: its caller wants the first token soon. */
async function join(
  { responseCache }: RouterParts,
  { key, exactUse }: CacheableRequest,
  { wantsStream, signal }: InferenceRequest,
  lookup: Lookup | null,
): Promise<Joined> {
  const flights = responseCache?.flights ?? null
  if (flights === null || wantsStream || exactUse !== 'use') return ALONE
  // After a purge equal requests are others.
  return joinOthers(flights, `${key} ${lookup?.epoch ?? ''}`, signal)
}

interface Sought extends Pick<Joined, 'lead'> {
  readonly asked: CacheableRequest
  readonly lookup: Lookup | null
  readonly meaning: SemanticFinding | null
}

function keeperFor(
  { platform, responseCache, semanticCache }: RouterParts,
  exchange: Exchange,
  { wantsStream }: InferenceRequest,
  { asked: { key, keyed }, lookup, meaning, lead }: Sought,
): AnswerKeeper {
  const { waitUntil } = exchange.context
  // However this request ends, whoever waits for it goes on.
  if (lead !== null) exchange.held.push({ renew() {}, release: lead.leave })
  const exactBytes = responseCache?.config.maxBodyBytes ?? 0
  const keepMeaning = meaning?.keep ?? null
  const semanticBytes = keepMeaning === null ? 0 : (semanticCache?.config.maxBodyBytes ?? 0)
  return new AnswerKeeper({
    model: keyed.model,
    party: keyed.party,
    wantsStream,
    maxBodyBytes: Math.max(exactBytes, semanticBytes),
    epoch: lookup?.epoch ?? '',
    now: platform.now,
    keep(answer) {
      lead?.land(answer)
      const { length } = answer.body
      if (responseCache !== null && lookup !== null && length <= exactBytes) waitUntil(responseCache.put(key, answer))
      if (keepMeaning !== null && length <= semanticBytes) waitUntil(keepMeaning(answer))
    },
  })
}

function deliverKept(
  parts: RouterParts,
  exchange: Exchange,
  { streamKind }: InferenceRequest,
  { answer, note }: { readonly answer: StoredAnswer; readonly note: CacheNote },
): Response {
  const nowMs = parts.platform.now()
  exchange.method = note.status === 'semantic-hit' ? 'semantic-hit' : 'cache-hit'
  exchange.cache = note
  exchange.firstByteAtMs = nowMs
  const headers = new Headers(answer.headers.map(([name, value]) => [name, value]))
  headers.set('age', String(Math.floor(ageMs(answer, nowMs) / 1000)))
  setRoutingHeaders(headers, exchange)
  exchange.replay?.openAnswer(headers.get('content-type'), streamKind)?.push(answer.body)
  closeExchange(parts, exchange, { status: 200, streamEnd: 'complete', errorCode: null })
  return new Response(answer.body, { status: 200, headers })
}
