// The model of a request: the name it gives, else the default; what the rules make of that name; and whether anybody
// serves the result.

import { findAffinity } from '../routing/affinity.ts'
import { hash64 } from '../routing/hash.ts'
import { applyModelRules, type RuleContext } from '../routing/model-rules.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { resolveModel } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'

/**
 * Notes model and rule in the exchange; the request it returns gives attempts a body with the right name in it. Throws
 * `RouterError` when the model is not to be had.
 */
export function chooseModel(parts: RouterParts, exchange: Exchange, request: InferenceRequest): InferenceRequest {
  if (!request.needsModel) return request
  const { config, mirror } = parts
  const named = request.requestedModel ?? config.defaultModel
  if (named !== null && config.modelRules.length > 0) {
    const ruled = applyModelRules(named, config.modelRules, ruleContext(parts, exchange, request))
    exchange.rule = ruled.rule
    exchange.nextModels = [...ruled.then]
    exchange.model = ruled.rule === null ? null : ruled.model
  }
  exchange.model = resolveModel({ model: exchange.model ?? named, isRuled: exchange.rule !== null }, mirror)
  // A body that names no model is sent as it came where the worker can't but take the right one.
  const isMissing = request.requestedModel === null && (named === null || mirror.models().size < 2)
  return isMissing ? { ...request, bodyFor: () => request.bodyFor(null) } : request
}

function ruleContext({ mirror }: RouterParts, exchange: Exchange, request: InferenceRequest): RuleContext {
  const { headers, json, pinnedWorkerId } = request
  const header = (name: string) => headers.get(name)
  return {
    header,
    tenant: null,
    isAvailable: (model) => mirror.hasAvailable(model, pinnedWorkerId),
    // Only a split by weights asks, so only then is the key worked out.
    get sessionHash() {
      return findAffinity({ header, body: json })?.hash ?? null
    },
    // From the id that the record keeps, so that the choice can be made again.
    seed: Number.parseInt(hash64(exchange.decisionId ?? exchange.requestId).slice(0, 8), 16),
  }
}
