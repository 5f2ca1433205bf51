// The model of a request where rules decide by what is asked: after the model rules, on the name that they leave, and
// finally. Without decisions, or for a request they are not asked about, everything is as choose-model.ts has it.

import type { DecisionConfig, DecisionsConfig } from '../config/decision-config.ts'
import { quoted, RouterError } from '../errors/router-error.ts'
import { mayBeUsed } from '../routing/availability.ts'
import { findAffinity } from '../routing/affinity.ts'
import { decideByRules } from '../routing/decision-rules.ts'
import { drawSplit, type Split, splitSeed } from '../routing/model-rules.ts'
import { signalKey } from '../routing/signals/signal.ts'
import { chooseModel, nameByRules, settleModel } from './choose-model.ts'
import type { Decided } from './decided.ts'
import { canReason, withDecisionEdits } from './decision-edits.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { checkRoutedModels, mayUse } from './model-access.ts'
import { readSignals } from './read-signals.ts'
import { toRequestView } from './request-view.ts'
import type { RouterParts } from './router-parts.ts'

/** As `chooseModel`; the request it returns has the edits of the decision as well. */
export async function decideModel(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
): Promise<InferenceRequest> {
  const { decisions, defaultModel } = parts.config
  if (decisions === null || !request.needsModel) return chooseModel(parts, exchange, request)
  const named = nameByRules(parts, exchange, request)
  const asNamed = () => settleModel(parts, exchange, request, { model: named, isRuled: exchange.rule !== null })
  const isAuto = named !== null && decisions.autoModels.includes(named)
  if (!isAuto && !isDecided(decisions, exchange)) return asNamed()
  const decided = await decide(parts, exchange, request, decisions)
  exchange.decided = decided
  const { decision } = decided
  exchange.replay?.settle(decision?.plugins.routerReplay ?? null)
  if (decision === null && !isAuto) return asNamed()
  const wanted = decision === null ? [] : modelsOf(parts, exchange, request, decision)
  // A default that asks the router to choose has been answered.
  const last = defaultModel === null || decisions.autoModels.includes(defaultModel) ? [] : [defaultModel]
  const models = [...new Set([...wanted, ...last])]
  if (models.length === 0) throw nothingDecided(named)
  // What goes on from a stored response stays with its worker, whatever else that serves.
  const isHeld = request.pinnedWorkerId !== null && !isAuto
  if (isHeld && !models.some((model) => isPerhapsUp(parts, request, model))) return asNamed()
  return settleDecided(parts, exchange, { request, decided, decisions, models })
}

/** Requests that name a model of their own are decided on where the configuration says so, and something is generated. */
function isDecided({ decideOn }: DecisionsConfig, { tokenUse }: Exchange): boolean {
  return decideOn === 'all' && tokenUse === 'prompt_and_answer'
}

async function decide(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { rules, strategy }: DecisionsConfig,
): Promise<Decided> {
  const view = toRequestView(exchange, request)
  const readings = await readSignals(parts, exchange, view, request.signal)
  const byKey = new Map(readings.map((reading) => [signalKey(reading), reading.outcome]))
  const ruled = decideByRules(rules, strategy, (family, name) => {
    return byKey.get(signalKey({ family, name })) ?? { kind: 'unknown', because: 'not_asked' }
  })
  const decision = rules.find(({ name }) => name === ruled.chosen?.name) ?? null
  return { ruled, readings, digests: parts.config.signals.digests, decision, canReason: canReason(exchange.route) }
}

/** The decision's models in the order in which they are tried: drawn by weight, else as they are written. */
function modelsOf(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { name, models }: DecisionConfig,
): readonly string[] {
  if (models.every(({ weight }) => weight === null)) return models.map(({ model }) => model)
  const shares = models
    .filter(({ model }) => isUp(parts, exchange, request, model))
    .map(({ model, weight }) => ({ model, weight: weight ?? 1 }))
  const session = findAffinity({ header: (header) => request.headers.get(header), body: request.json })
  const split: Split = { shares, session }
  exchange.split = split
  const drawn = drawSplit(`decision:${name}`, split, splitSeed(exchange.decisionId ?? exchange.requestId))
  return [...drawn, ...models.map(({ model }) => model)]
}

interface ToSettle {
  readonly request: InferenceRequest
  readonly decided: Decided
  readonly decisions: DecisionsConfig
  /** In the order in which they are tried. */
  readonly models: readonly string[]
}

function settleDecided(
  parts: RouterParts,
  exchange: Exchange,
  { request, decided, decisions, models }: ToSettle,
): InferenceRequest {
  checkRoutedModels(exchange, request, models)
  const allowed = models.filter((model) => mayUse(exchange, model))
  const up = allowed.filter((model) => isUp(parts, exchange, request, model))
  // As in a decision on workers: where nobody is surely up, one that failed lately is better than nobody.
  const usable = up.length > 0 ? up : allowed.filter((model) => isPerhapsUp(parts, request, model))
  const [model = allowed[0] ?? null, ...next] = usable
  exchange.nextModels = next
  const settled = settleModel(parts, exchange, request, { model, isRuled: true })
  return withDecisionEdits(settled, decided, { route: exchange.route, ...decisions })
}

function isUp({ mirror }: RouterParts, exchange: Exchange, request: InferenceRequest, model: string): boolean {
  return mayUse(exchange, model) && mirror.hasAvailable(model, request.pinnedWorkerId)
}

function isPerhapsUp({ mirror }: RouterParts, { pinnedWorkerId }: InferenceRequest, model: string): boolean {
  return mirror.view().candidates.some(({ models, workerId, availability }) => {
    const isAsked = pinnedWorkerId === null || workerId === pinnedWorkerId
    return isAsked && mayBeUsed(availability) && models?.has(model) === true
  })
}

function nothingDecided(named: string | null): RouterError {
  const asked = named === null ? 'a request that names no model' : `a request for ${quoted(named)}`
  const message = `No decision takes ${asked}, and the router has no default model; name the model you want.`
  return new RouterError('model_not_found', message, { param: 'model' })
}
