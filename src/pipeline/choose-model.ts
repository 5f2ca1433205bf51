// The model of a request: the name it gives, else the default; what the rules make of that name; and whether anybody
// serves the result.

import { findAffinity } from '../routing/affinity.ts'
import { hash64 } from '../routing/hash.ts'
import { applyModelRules, type RuleContext, type RuledModel } from '../routing/model-rules.ts'
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
    const ruled = applyRules(named, parts, exchange, request)
    exchange.rule = ruled.rule
    exchange.nextModels = [...ruled.nextModels]
    exchange.model = ruled.rule === null ? null : ruled.model
  }
  exchange.model = resolveModel({ model: exchange.model ?? named, isRuled: exchange.rule !== null }, mirror)
  // A body that names no model is sent as it came where the worker can't but take the right one.
  const isMissing = request.requestedModel === null && (named === null || mirror.models().size < 2)
  return isMissing ? { ...request, bodyFor: () => request.bodyFor(null) } : request
}

function applyRules(named: string, parts: RouterParts, exchange: Exchange, request: InferenceRequest): RuledModel {
  const { config, mirror } = parts
  const { pinnedWorkerId } = request
  const isUp = (model: string) => mirror.hasAvailable(model, pinnedWorkerId)
  const ruled = applyModelRules(named, config.modelRules, ruleContext(exchange, request, isUp))
  if (!ruled.isExhausted) return ruled
  // As in a decision: where nobody is surely up, a worker that failed lately is better than nobody.
  const { candidates } = mirror.view()
  const mayBeUp = (model: string) =>
    candidates.some(({ models, workerId, availability }) => {
      const isAsked = pinnedWorkerId === null || workerId === pinnedWorkerId
      return isAsked && availability !== 'down' && models?.has(model) === true
    })
  return applyModelRules(named, config.modelRules, ruleContext(exchange, request, mayBeUp))
}

function ruleContext(
  exchange: Exchange,
  request: InferenceRequest,
  isAvailable: RuleContext['isAvailable'],
): RuleContext {
  const { headers, json } = request
  const header = (name: string) => headers.get(name)
  return {
    header,
    isAvailable,
    tenant: null,
    // Only a split by weights asks, so only then is the key worked out.
    get sessionHash() {
      return findAffinity({ header, body: json })?.hash ?? null
    },
    // From the id that the record keeps, so that the choice can be made again.
    seed: Number.parseInt(hash64(exchange.decisionId ?? exchange.requestId).slice(0, 8), 16),
  }
}
