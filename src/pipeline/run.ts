// One request from facts to answer. Stage order of the pipeline; what the HTTP surface throws or gets back is in terms of
// this module, and hono stops before it.

import { runAttempts } from './attempts.ts'
import type { Exchange } from './exchange.ts'
import { gatherFacts, ticketKey } from './facts.ts'
import type { InferenceRequest } from './inference-request.ts'
import { resolveModel } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'

/**
 * Serves one request. Throws `RouterError` for what is answered by the router itself. The exchange is filled in as
 * things become known, so that an error's answer and record explain as much as a success does.
 */
export async function run(parts: RouterParts, exchange: Exchange, request: InferenceRequest): Promise<Response> {
  const { config, mirror } = parts
  exchange.originalModel = request.requestedModel
  exchange.wantsStream = request.wantsStream
  exchange.method = 'none'
  const freshened = mirror.ensureFresh(
    exchange.context.waitUntil,
    ticketKey(config.policy, request.requestedModel ?? config.defaultModel),
  )
  if (freshened !== null) await freshened
  exchange.model = request.needsModel ? resolveModel(request.requestedModel, config.defaultModel, mirror) : null
  const facts = await gatherFacts(config.policy, request, exchange.model, mirror)
  return runAttempts(parts, exchange, request, facts)
}
