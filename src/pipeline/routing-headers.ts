// The explainability headers: their names, which are a contract, and their values for one exchange.

import type { Config } from '../config/config.ts'
import { encodeHeaderValue } from '../dialect/header-value.ts'
import { hash64 } from '../routing/hash.ts'
import type { Exchange } from './exchange.ts'

export const HEADER_REQUEST_ID = 'x-request-id'
export const HEADER_WORKER = 'x-vllm-router-worker'
export const HEADER_METHOD = 'x-vllm-router-method'
export const HEADER_POLICY = 'x-vllm-router-policy'
export const HEADER_MODEL = 'x-vllm-router-model'
export const HEADER_CACHE_STATUS = 'x-vllm-router-cache-status'
export const HEADER_HOOKS = 'x-vllm-router-hooks'
export const HEADER_ATTEMPTS = 'x-vllm-router-attempts'
export const HEADER_DECISION_ID = 'x-vllm-router-decision-id'

/** Id of the record of Router Replay, under the name that the semantic router gives it. */
export const HEADER_REPLAY_ID = 'x-vsr-replay-id'

/** Every header this version sets to explain its routing. */
export const ALL_EXPLAINABILITY_HEADERS: readonly string[] = [
  HEADER_WORKER,
  HEADER_METHOD,
  HEADER_POLICY,
  HEADER_MODEL,
  HEADER_CACHE_STATUS,
  HEADER_HOOKS,
  HEADER_ATTEMPTS,
  HEADER_DECISION_ID,
  HEADER_REPLAY_ID,
]

/** Adds what explains this exchange to an answer. `expose_routing_headers: false` leaves the request id alone. */
export function setRoutingHeaders(headers: Headers, exchange: Exchange): void {
  headers.set(HEADER_REQUEST_ID, exchange.requestId)
  setDecisionId(headers, exchange)
  if (!exchange.isInference || !exchange.config.exposeRoutingHeaders) return
  const worker = exchange.worker?.config.id ?? null
  if (worker !== null) headers.set(HEADER_WORKER, encodeHeaderValue(shownWorker(exchange.config, worker)))
  headers.set(HEADER_METHOD, exchange.method)
  const policy = exchange.trace?.decision.policy ?? null
  if (exchange.method === 'policy' && policy !== null) headers.set(HEADER_POLICY, encodeHeaderValue(policy))
  if (exchange.model !== null) headers.set(HEADER_MODEL, encodeHeaderValue(exchange.model))
  if (exchange.isCacheable) headers.set(HEADER_CACHE_STATUS, 'bypass')
  // Names are plain ASCII, and cutting the list as other values are cut would make up an entry.
  if (exchange.hooksRan.length > 0) headers.set(HEADER_HOOKS, exchange.hooksRan.join(','))
  headers.set(HEADER_ATTEMPTS, String(exchange.attempts.length))
  if (exchange.decisionId !== null && exchange.replay !== null) headers.set(HEADER_REPLAY_ID, exchange.decisionId)
}

/** On every answer that leaves a record, those of routes that the router answers by itself among them. */
export function setDecisionId(headers: Headers, { decisionId, config }: Exchange): void {
  if (decisionId !== null && config.exposeRoutingHeaders) headers.set(HEADER_DECISION_ID, decisionId)
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
