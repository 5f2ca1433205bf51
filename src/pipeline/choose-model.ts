// The model of a request: the name it gives, else the default; what the rules make of that name; and whether anybody
// serves the result.

import { findAffinity } from '../routing/affinity.ts'
import { mayBeUsed } from '../routing/availability.ts'
import {
  applyModelRules,
  findRule,
  type RuleContext,
  type RuledModel,
  splitSeed,
  targetsOf,
} from '../routing/model-rules.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { checkRoutedModels, mayUse } from './model-access.ts'
import { resolveModel, type WantedModel } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'

/**
 * Notes model and rule in the exchange; the request it returns gives attempts a body with the right name in it. Throws
 * `RouterError` when the model is not to be had, or not by this caller.
 */
export function chooseModel(parts: RouterParts, exchange: Exchange, request: InferenceRequest): InferenceRequest {
  if (!request.needsModel) return request
  return settleModel(parts, exchange, request, {
    model: nameByRules(parts, exchange, request),
    isRuled: exchange.rule !== null,
  })
}

/** The name that the rules leave of the one given, or of the default; null when there is neither. */
export function nameByRules(parts: RouterParts, exchange: Exchange, request: InferenceRequest): string | null {
  const { modelRules, defaultModel } = parts.config
  const named = request.requestedModel ?? defaultModel
  if (named === null || modelRules.length === 0) return named
  const ruled = applyRules(named, parts, exchange, request)
  exchange.rule = ruled.rule
  exchange.split = ruled.split
  exchange.nextModels = [...ruled.nextModels]
  exchange.model = ruled.rule === null ? null : ruled.model
  return exchange.model ?? named
}

/** Notes the model, once it is sure that somebody serves it and that the caller may use it. */
export function settleModel(
  { mirror }: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  wanted: WantedModel,
): InferenceRequest {
  const model = resolveModel(wanted, mirror)
  checkRoutedModels(exchange, request, [model])
  exchange.model = model
  // A body that names no model is sent as it came where the worker can't but take the right one.
  const isMissing = request.requestedModel === null && (wanted.model === null || mirror.models().size < 2)
  return isMissing ? { ...request, bodyFor: () => request.bodyFor(null) } : request
}

function applyRules(named: string, parts: RouterParts, exchange: Exchange, request: InferenceRequest): RuledModel {
  const { config, mirror } = parts
  const { pinnedWorkerId } = request
  const isUp = (model: string) => mayUse(exchange, model) && mirror.hasAvailable(model, pinnedWorkerId)
  const context = ruleContext(exchange, request, isUp)
  const rule = config.modelRules[findRule(named, config.modelRules, context) ?? -1]
  // Members of a chain that the caller may not use are passed over; when it may use none, that is the answer.
  if (rule !== undefined) checkRoutedModels(exchange, request, targetsOf(rule.action))
  const ruled = applyModelRules(named, config.modelRules, context)
  if (!ruled.isExhausted) return ruled
  // As in a decision: where nobody is surely up, a worker that failed lately is better than nobody.
  const { candidates } = mirror.view()
  const mayBeUp = (model: string) =>
    candidates.some(({ models, workerId, availability }) => {
      const isAsked = pinnedWorkerId === null || workerId === pinnedWorkerId
      return isAsked && mayBeUsed(availability) && models?.has(model) === true && mayUse(exchange, model)
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
    tenant: exchange.tenant?.name ?? null,
    get session() {
      return findAffinity({ header, body: json })
    },
    seed: splitSeed(exchange.decisionId ?? exchange.requestId),
  }
}
