// The stage between the model and the facts: answers a request from the response caches, or sees to it that its answer can
// be kept.

import type { Lookup, StoredAnswer } from '../cache/response-store.ts'
import type { HeaderFields } from '../platform.ts'
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
  const { lookup, meaning, kept } = await find(parts, exchange, request, asked)
  if (kept !== null) return deliverKept(parts, exchange, request, kept)
  const { answer, lead } = await join(parts, asked, request, lookup)
  if (answer !== null) return deliverKept(parts, exchange, request, exactHit(asked, answer))
  const keeper = keeperFor(parts, exchange, request, { asked, lookup, meaning, lead })
  exchange.cache = { ...missOf(asked, meaning), keeper }
  return null
}

/** Whether a cache has the answer, for a request that is not made: looks it up, notes what it finds, and keeps nothing. */
export async function noteKeptAnswer(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
): Promise<boolean> {
  const asked = await toCacheable(parts, exchange, request)
  const kept = asked === null ? null : (await find(parts, exchange, request, asked)).kept
  if (kept !== null) noteHit(exchange, kept)
  return kept !== null
}

/** An answer that a cache has for the request. */
interface KeptAnswer extends Pick<CacheNote, 'key' | 'similarity'> {
  readonly status: 'exact-hit' | 'semantic-hit'
  readonly answer: StoredAnswer
}

interface Found {
  readonly lookup: Lookup | null
  readonly meaning: SemanticFinding | null
  readonly kept: KeptAnswer | null
}

async function find(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  asked: CacheableRequest,
): Promise<Found> {
  exchange.cache = missOf(asked, null)
  const lookup = await lookUp(parts, exchange, asked, request)
  const known = asked.exactUse === 'use' ? (lookup?.answer ?? null) : null
  if (known !== null) return { lookup, meaning: null, kept: exactHit(asked, known) }
  const meaning = await meaningOf(parts, exchange, request, asked)
  exchange.cache = missOf(asked, meaning)
  const nearest = meaning?.nearest ?? null
  return { lookup, meaning, kept: nearest && { ...nearest, status: 'semantic-hit' } }
}

function exactHit({ key }: CacheableRequest, answer: StoredAnswer): KeptAnswer {
  return { status: 'exact-hit', key, similarity: null, answer }
}

function missOf({ key, exactUse, semanticUse }: CacheableRequest, meaning: SemanticFinding | null): CacheNote {
  const isAsked = exactUse === 'use' || (semanticUse === 'use' && meaning !== null)
  return { status: isAsked ? 'miss' : 'bypass', key, similarity: null, keeper: null }
}

function noteHit(exchange: Exchange, { status, key, similarity }: KeptAnswer): void {
  exchange.method = status === 'semantic-hit' ? 'semantic-hit' : 'cache-hit'
  exchange.cache = { status, key, similarity, keeper: null }
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
  kept: KeptAnswer,
): Response {
  const { answer } = kept
  const nowMs = parts.platform.now()
  noteHit(exchange, kept)
  exchange.firstByteAtMs = nowMs
  const headers: HeaderFields = Object.fromEntries(answer.headers)
  headers['age'] = String(Math.floor(ageMs(answer, nowMs) / 1000))
  exchange.replay?.openAnswer(headers['content-type'] ?? null, streamKind)?.push(answer.body)
  closeExchange(parts, exchange, { status: 200, streamEnd: 'complete', errorCode: null })
  // Closed before: what a limit was charged ahead is given back by then, and its headers say so.
  setRoutingHeaders(headers, exchange)
  return new Response(answer.body, { status: 200, headers })
}
