// The explainability headers: their names, which are a contract, and their values for one exchange.

import { encodeHeaderValue } from '../dialect/header-value.ts'
import type { Exchange } from './exchange.ts'

export const HEADER_REQUEST_ID = 'x-request-id'
export const HEADER_WORKER = 'x-vllm-router-worker'
export const HEADER_METHOD = 'x-vllm-router-method'
export const HEADER_POLICY = 'x-vllm-router-policy'
export const HEADER_MODEL = 'x-vllm-router-model'
export const HEADER_CACHE_STATUS = 'x-vllm-router-cache-status'
export const HEADER_ATTEMPTS = 'x-vllm-router-attempts'
export const HEADER_DECISION_ID = 'x-vllm-router-decision-id'

/** Every header this version sets to explain its routing. */
export const ALL_EXPLAINABILITY_HEADERS: readonly string[] = [
  HEADER_WORKER,
  HEADER_METHOD,
  HEADER_POLICY,
  HEADER_MODEL,
  HEADER_CACHE_STATUS,
  HEADER_ATTEMPTS,
  HEADER_DECISION_ID,
]

/** Adds what explains this exchange to an answer. `expose_routing_headers: false` leaves the request id alone. */
export function setRoutingHeaders(headers: Headers, exchange: Exchange): void {
  headers.set(HEADER_REQUEST_ID, exchange.requestId)
  if (!exchange.isInference || !exchange.config.exposeRoutingHeaders) return
  const lastAttempt = exchange.attempts.at(-1)
  if (lastAttempt !== undefined) headers.set(HEADER_WORKER, encodeHeaderValue(lastAttempt.workerId))
  headers.set(HEADER_METHOD, exchange.method)
  const policy = exchange.trace?.decision.policy ?? null
  if (exchange.method === 'policy' && policy !== null) headers.set(HEADER_POLICY, encodeHeaderValue(policy))
  if (exchange.model !== null) headers.set(HEADER_MODEL, encodeHeaderValue(exchange.model))
  if (exchange.isCacheable) headers.set(HEADER_CACHE_STATUS, 'bypass')
  headers.set(HEADER_ATTEMPTS, String(exchange.attempts.length))
  if (exchange.decisionId !== null) headers.set(HEADER_DECISION_ID, exchange.decisionId)
}
