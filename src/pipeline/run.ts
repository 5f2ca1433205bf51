// One request from facts to answer. Stage order of the pipeline; what the HTTP surface throws or gets back is in terms of
// this module, and hono stops before it.

import { answerFromCache, noteKeptAnswer } from './answer-from-cache.ts'
import { runAttempts } from './attempts.ts'
import { gatherClusterFact } from './cluster-facts.ts'
import { chooseModel } from './choose-model.ts'
import { decideModel } from './decide-model.ts'
import type { Exchange } from './exchange.ts'
import { type Facts, gatherFacts, ticketKey, type Turns } from './facts.ts'
import { runHooks } from './hooks.ts'
import type { InferenceRequest } from './inference-request.ts'
import { gatherLmcacheFact } from './lmcache-facts.ts'
import { checkRequestedModel } from './model-access.ts'
import { askOthers, readPrompt, type RequestPrompt } from './prefix-facts.ts'
import { notePrompt } from './prefix-hashes.ts'
import { noteRequestText } from './request-text.ts'
import { chargeForBody } from './tenant-limits.ts'
import { requestUsage } from './usage-request.ts'
import { checkChosenId, choosesResponseId, findResponseOwner } from './response-owner.ts'
import type { RouterParts } from './router-parts.ts'

/**
 * Serves one request. Throws `RouterError` for what is answered by the router itself. The exchange is filled in as
 * things become known, so that an error's answer and record explain as much as a success does.
 */
export async function run(parts: RouterParts, exchange: Exchange, received: InferenceRequest): Promise<Response> {
  const steps = { runHooks, turns: parts.mirror, takesTurns: true }
  const request = await toRouted(parts, exchange, received, steps)
  const kept = hasCache(parts) ? await answerFromCache(parts, exchange, request) : null
  if (kept !== null) return kept
  const gathered = factsFor(parts, exchange, request, steps)
  const facts = gathered instanceof Promise ? await gathered : gathered
  // Awaited: a promise that is settled with another one costs a third.
  return await runAttempts(parts, exchange, request, facts)
}

/** What of the way to a decision leaves traces, and so differs in a dry run. */
export interface PrepareSteps {
  readonly runHooks: typeof runHooks
  readonly turns: Turns
  /** Whether turns are to be had ready for the model. */
  readonly takesTurns: boolean
}

/**
 * Everything before the decision: the request as it would go to a worker, and what the decision needs to know. Null where
 * nothing is to be decided, as a cache has the answer.
 */
export async function prepare(
  parts: RouterParts,
  exchange: Exchange,
  received: InferenceRequest,
  steps: PrepareSteps,
): Promise<{ readonly request: InferenceRequest; readonly facts: Facts } | null> {
  const request = await toRouted(parts, exchange, received, steps)
  if (hasCache(parts) && (await noteKeptAnswer(parts, exchange, request))) return null
  return { request, facts: await factsFor(parts, exchange, request, steps) }
}

function hasCache({ responseCache, semanticCache }: RouterParts): boolean {
  return responseCache !== null || semanticCache !== null
}

/** The request as it would go to a worker of its model, which is in the exchange then. */
async function toRouted(
  parts: RouterParts,
  exchange: Exchange,
  received: InferenceRequest,
  steps: PrepareSteps,
): Promise<InferenceRequest> {
  const { config, mirror } = parts
  exchange.originalModel = received.requestedModel
  // Until something renames it; a hook's refusal then still says which model it was for.
  exchange.model = received.requestedModel
  noteRequestText(exchange, received)
  checkRequestedModel(exchange, received)
  const hooked = parts.hookGroups.length === 0 ? received : await steps.runHooks(parts, exchange, received)
  if (hooked !== received) noteRequestText(exchange, hooked)
  checkRequestedModel(exchange, hooked)
  notePrompt(exchange, hooked)
  chargeForBody(exchange, hooked)
  const asked = requestUsage(exchange, hooked)
  const request = namesResponse(asked) ? await pinned(parts, exchange, asked) : asked
  exchange.model = null
  exchange.wantsStream = request.wantsStream
  exchange.method = 'none'
  const wanted = steps.takesTurns ? ticketKey(config.policy, request.requestedModel ?? config.defaultModel) : null
  const freshened = mirror.ensureFresh(exchange.context.waitUntil, wanted)
  if (freshened !== null) await freshened
  return config.decisions === null ? chooseModel(parts, exchange, request) : decideModel(parts, exchange, request)
}

/** A promise only where somebody has to be asked. */
function factsFor(
  parts: RouterParts,
  exchange: Exchange,
  named: InferenceRequest,
  steps: PrepareSteps,
): Facts | Promise<Facts> {
  const { config, clusters, lmcache } = parts
  const prompt = readPrompt(parts, exchange, named)
  const gathered = gatherFacts(config.policy, named, exchange, steps.turns)
  const isAtHand = prompt === null && clusters === null && lmcache === null
  return isAtHand ? gathered : askForFacts(parts, exchange, named, { prompt, gathered })
}

async function askForFacts(
  parts: RouterParts,
  exchange: Exchange,
  named: InferenceRequest,
  { prompt, gathered }: { readonly prompt: RequestPrompt | null; readonly gathered: Facts | Promise<Facts> },
): Promise<Facts> {
  // Asked beside the other facts, which may take a while as well.
  const clusters = parts.clusters === null ? null : gatherClusterFact(parts, exchange, named)
  const lookup = parts.lmcache === null ? null : gatherLmcacheFact(parts, exchange, { request: named, prompt })
  const hint = prompt === null ? null : askOthers(parts, prompt, { exchange, signal: named.signal })
  const known = await gathered
  const facts = lookup === null ? known : { ...known, lmcache: await lookup }
  const cluster = clusters === null ? null : await clusters
  if (hint !== null) await hint
  return cluster === null ? { ...facts, prompt } : { ...facts, prompt, cluster }
}

function namesResponse(request: InferenceRequest): boolean {
  return request.storedResponseId !== null || choosesResponseId(request)
}

/** Finds the worker that holds what the request refers to. Throws when there is none, or it would take an id of others. */
async function pinned(parts: RouterParts, exchange: Exchange, request: InferenceRequest): Promise<InferenceRequest> {
  if (choosesResponseId(request)) await checkChosenId(parts, exchange, request)
  if (request.storedResponseId === null) return request
  const { workerId } = await findResponseOwner(parts, exchange, request.storedResponseId)
  return { ...request, pinnedWorkerId: workerId }
}
