// The explainability headers: their names, which are a contract, and their values for one exchange.

import type { Config } from '../config/config.ts'
import { encodeHeaderValue } from '../dialect/header-value.ts'
import type { HeaderFields } from '../platform.ts'
import { hash64 } from '../routing/hash.ts'
import { type Decided, reasoningOf } from './decided.ts'
import type { Exchange } from './exchange.ts'
import { setLimitHeaders } from './limit-headers.ts'

export const HEADER_REQUEST_ID = 'x-request-id'
export const HEADER_WORKER = 'x-vllm-router-worker'
export const HEADER_METHOD = 'x-vllm-router-method'
export const HEADER_POLICY = 'x-vllm-router-policy'
export const HEADER_CLUSTER = 'x-vllm-router-cluster'
export const HEADER_MODEL = 'x-vllm-router-model'
export const HEADER_CACHE_STATUS = 'x-vllm-router-cache-status'
export const HEADER_CACHE_SIMILARITY = 'x-vllm-router-cache-similarity'
export const HEADER_HOOKS = 'x-vllm-router-hooks'
export const HEADER_ATTEMPTS = 'x-vllm-router-attempts'
export const HEADER_DECISION = 'x-vllm-router-decision'
export const HEADER_DECISION_ID = 'x-vllm-router-decision-id'

/** Id of the record of Router Replay, under the name that the semantic router gives it. */
export const HEADER_REPLAY_ID = 'x-vsr-replay-id'

/** What rules decided, under the names that the semantic router gives it. */
export const HEADER_SELECTED_DECISION = 'x-vsr-selected-decision'
export const HEADER_SELECTED_CATEGORY = 'x-vsr-selected-category'
export const HEADER_SELECTED_MODEL = 'x-vsr-selected-model'
export const HEADER_SELECTED_REASONING = 'x-vsr-selected-reasoning'
export const HEADER_SELECTED_CONFIDENCE = 'x-vsr-selected-confidence'

/** Every header this version sets to explain its routing. */
export const ALL_EXPLAINABILITY_HEADERS: readonly string[] = [
  HEADER_WORKER,
  HEADER_METHOD,
  HEADER_POLICY,
  HEADER_CLUSTER,
  HEADER_MODEL,
  HEADER_CACHE_STATUS,
  HEADER_CACHE_SIMILARITY,
  HEADER_HOOKS,
  HEADER_ATTEMPTS,
  HEADER_DECISION,
  HEADER_DECISION_ID,
  HEADER_REPLAY_ID,
  HEADER_SELECTED_DECISION,
  HEADER_SELECTED_CATEGORY,
  HEADER_SELECTED_MODEL,
  HEADER_SELECTED_REASONING,
  HEADER_SELECTED_CONFIDENCE,
]

/**
 * Adds what every answer has, and what explains this exchange. `expose_routing_headers: false` leaves the request id and
 * the caller's limits.
 */
export function setRoutingHeaders(headers: HeaderFields, exchange: Exchange): void {
  setLimitHeaders(headers, exchange)
  headers[HEADER_REQUEST_ID] = exchange.requestId
  setDecisionId(headers, exchange)
  if (!exchange.isInference || !exchange.config.exposeRoutingHeaders) return
  const worker = exchange.worker?.config.id ?? null
  if (worker !== null) headers[HEADER_WORKER] = encodeHeaderValue(shownWorker(exchange.config, worker))
  headers[HEADER_METHOD] = exchange.method
  const policy = exchange.trace?.decision.policy ?? null
  if (exchange.method === 'policy' && policy !== null) headers[HEADER_POLICY] = encodeHeaderValue(policy)
  const cluster = exchange.trace?.decision.cluster
  if (exchange.method === 'cluster' && cluster !== undefined) headers[HEADER_CLUSTER] = cluster
  if (exchange.model !== null) headers[HEADER_MODEL] = encodeHeaderValue(exchange.model)
  if (exchange.isCacheable) setCacheHeaders(headers, exchange.cache)
  // Names are plain ASCII, and cutting the list as other values are cut would make up an entry.
  if (exchange.hooksRan.length > 0) headers[HEADER_HOOKS] = exchange.hooksRan.join(',')
  headers[HEADER_ATTEMPTS] = String(exchange.attempts.length)
  if (exchange.decisionId !== null && exchange.replay?.isKept === true) headers[HEADER_REPLAY_ID] = exchange.decisionId
  if (exchange.decided !== null) setDecisionHeaders(headers, exchange.decided, exchange.model)
}

/** Names are plain ASCII; those of models may hold anything. */
function setDecisionHeaders(headers: HeaderFields, decided: Decided, model: string | null): void {
  const { chosen, category } = decided.ruled
  if (chosen === null) return
  headers[HEADER_DECISION] = chosen.name
  headers[HEADER_SELECTED_DECISION] = chosen.name
  headers[HEADER_SELECTED_CONFIDENCE] = chosen.confidence.toFixed(4)
  if (category !== null) headers[HEADER_SELECTED_CATEGORY] = category
  if (model !== null) headers[HEADER_SELECTED_MODEL] = encodeHeaderValue(model)
  const reasoning = reasoningOf(decided, model)
  if (reasoning !== null) headers[HEADER_SELECTED_REASONING] = reasoning
}

function setCacheHeaders(headers: HeaderFields, cache: Exchange['cache']): void {
  headers[HEADER_CACHE_STATUS] = cache?.status ?? 'bypass'
  const similarity = cache?.similarity ?? null
  if (similarity !== null) headers[HEADER_CACHE_SIMILARITY] = similarity.toFixed(6)
}

/** On every answer that leaves a record, those of routes that the router answers by itself among them. */
export function setDecisionId(headers: HeaderFields, { decisionId, config }: Exchange): void {
  if (decisionId !== null && config.exposeRoutingHeaders) headers[HEADER_DECISION_ID] = decisionId
}

/** Digits of a hash that stand for a worker: enough to tell a fleet's workers apart, short enough to compare by eye. */
const HASH_DIGITS = 12

/** What `worker_display` makes of a worker. Where it says `id` or `hash`, no URL is ever shown. */
export function shownWorker({ workerDisplay, workers }: Pick<Config, 'workerDisplay' | 'workers'>, id: string): string {
  if (workerDisplay === 'auto') return id
  const worker = workers.find((each) => each.id === id)
  if (workerDisplay === 'id' && worker?.isNamed === true) return id
  const url = worker?.url ?? id
  return workerDisplay === 'url' ? url : hash64(url).slice(0, HASH_DIGITS)
}
