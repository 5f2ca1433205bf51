// What LMCache knows of a request's prompt and of the fleet's caches: tokenised by a worker, looked up at the control plane
// within one budget, and told in terms of workers. Whatever fails is a fact less, never a failed request.

import type { IdSource } from '../cache/token-cache.ts'
import type { LmcacheFact } from '../routing/cache-facts.ts'
import { isUsable } from '../routing/availability.ts'
import { promptText } from '../routing/prompt-beginning.ts'
import type { WorkerConfig } from '../config/config.ts'
import { toMatchedTokens } from '../upstream/lmcache/instance-matches.ts'
import { byWorker } from '../upstream/lmcache/instances.ts'
import type { ServiceFailure } from '../upstream/json-service.ts'
import type { LookupReply } from '../upstream/lmcache/lookup-client.ts'
import type { LmcacheFailure } from './events.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { LmcacheDesk, LookupDesk } from './lmcache-desk.ts'
import { noteLookedUp } from './lmcache-sight.ts'
import type { RequestPrompt } from './prefix-facts.ts'
import type { RouterParts } from './router-parts.ts'
import { beginStep } from './step.ts'
import { toTokenPrompt } from './token-prompt.ts'

export type LmcacheParts = Pick<
  RouterParts,
  'platform' | 'mirror' | 'lmcache' | 'tokenCache' | 'promptCaches' | 'events'
>

export interface LmcacheQuestion {
  readonly request: Pick<InferenceRequest, 'json' | 'signal'>
  /** Where the prompt is cached by the router's own index; null where nobody keeps one. */
  readonly prompt: Pick<RequestPrompt, 'factFor'> | null
}

interface Lookup {
  readonly matchedTokens: Readonly<Record<string, number>> | null
  readonly promptTokens: number | null
}

const NOT_LOOKED_UP: Lookup = { matchedTokens: null, promptTokens: null }

type Ids = ArrayLike<number> & Iterable<number>

/** Null where the policy wants nothing of LMCache. Writes what was asked into the exchange's steps. Never rejects. */
export async function gatherLmcacheFact(
  parts: LmcacheParts,
  exchange: Exchange,
  question: LmcacheQuestion,
): Promise<LmcacheFact | null> {
  const { lmcache: desk, promptCaches } = parts
  if (desk === null) return null
  const { model } = exchange
  const { lookups, needs } = desk
  const found = lookups === null ? NOT_LOOKED_UP : await lookUp(parts, exchange, { ...question, model, desk, lookups })
  return {
    ...found,
    chunkCounts: occupancyOf(parts, exchange, desk),
    prefillMsPerToken: promptCaches.costs.prefillMsPerToken(model, needs.prefillMsPerToken),
  }
}

interface Asked extends LmcacheQuestion {
  /** The one that the request is routed to. */
  readonly model: string | null
  readonly desk: LmcacheDesk
  readonly lookups: LookupDesk
}

async function lookUp(parts: LmcacheParts, exchange: Exchange, asked: Asked): Promise<Lookup> {
  const { platform } = parts
  const { request, prompt, model, lookups, desk } = asked
  const untilMs = platform.now() + lookups.needs.budgetMs
  const { now } = platform
  const skip = (outcome: string, known: Lookup) => {
    beginStep(exchange, 'lookup', { now }).note(outcome, 0)
    return known
  }
  const cacheSalt = request.json?.['cache_salt'] ?? ''
  // The legacy controller can't be told of a salt, and what it knows without one is no use with one.
  const isAskable = typeof cacheSalt === 'string' && (cacheSalt === '' || desk.needs.controllerType !== 'legacy')
  if (!isAskable) return skip('salted', NOT_LOOKED_UP)
  const ids = await tokenise(parts, exchange, { ...asked, untilMs })
  if (ids === null) return NOT_LOOKED_UP
  const promptTokens = ids.length
  const nothing = { matchedTokens: null, promptTokens }
  if (promptTokens < lookups.needs.minPromptTokens) return skip('short', nothing)
  const timeoutMs = untilMs - platform.now()
  if (timeoutMs <= 0) return skip('over_budget', nothing)
  const step = beginStep(exchange, 'lookup', { now })
  const { trace } = step
  const reply = await lookups.client.lookup({ ids, model, cacheSalt, trace, timeoutMs, signal: request.signal })
  const knownTokens = reply.kind === 'failure' ? null : reply.answer.knownTokens
  noteLookedUp(parts, lookups.sight, exchange, { ids, model, cacheSalt, knownTokens })
  if (reply.kind === 'failure') {
    step.note(reply.reason)
    noteFailure(parts, exchange, { step: 'lookup', worker: null, failure: reply })
    return nothing
  }
  const { tokensByInstance } = reply.answer
  const sentTokens = () => prompt?.factFor(model).cachedTokens ?? {}
  const matchedTokens = toMatchedTokens(reply.answer, joinOf(parts, desk), sentTokens)
  noteStrangers(parts, desk, tokensByInstance.keys())
  step.span?.set({ 'lmcache.prompt_tokens': promptTokens, 'lmcache.workers': Object.keys(matchedTokens).length })
  if (Object.keys(matchedTokens).length > 0) step.note('ok')
  else if (tokensByInstance.size > 0) step.note('unmapped')
  // Somebody holds parts of it, and nobody surely its beginning.
  else step.note(reply.answer.knownTokens > 0 ? 'ambiguous' : 'miss')
  return { matchedTokens, promptTokens }
}

interface TokenQuestion extends Asked {
  readonly untilMs: number
}

/** Null when there is nothing to look up, or nobody who tokenises it. */
async function tokenise(parts: LmcacheParts, exchange: Exchange, asked: TokenQuestion): Promise<Ids | null> {
  const { platform, tokenCache } = parts
  const { request, model, lookups, untilMs } = asked
  const { now } = platform
  const note = (step: 'lookup' | 'tokenize', outcome: string) => {
    beginStep(exchange, step, { now }).note(outcome)
    return null
  }
  // One that has failed costs a request nothing: whether it is back is seen beside it.
  if (!lookups.client.isAsked()) {
    const look = lookups.client.look(model)
    if (look !== null) exchange.context.waitUntil(look.then((reply) => noteLook(parts, exchange, reply)))
    return note('lookup', 'breaker_open')
  }
  const prompt = toTokenPrompt(exchange.route, request.json)
  if (prompt.kind === 'none') return note('tokenize', prompt.outcome)
  const isShort =
    prompt.kind === 'ids' ? prompt.ids.length < lookups.needs.minPromptTokens : !isLongEnough(parts, asked)
  // Last, since one that is blind is asked now and then, which is not to be spent on prompts that are not looked up.
  if (!isShort && !lookups.sight.judge.takeLookup(now())) return note('lookup', 'blind')
  if (prompt.kind === 'ids') return prompt.ids
  if (isShort) return note('tokenize', 'short')
  const step = beginStep(exchange, 'tokenize', { now })
  const { trace } = step
  let outcome = 'ok'
  const found = await tokenCache.idsFor(
    { tenant: exchange.party, model: model ?? '', fields: prompt.fields },
    async (fields) => {
      const worker = tokenizingWorker(parts, asked)
      const timeoutMs = untilMs - platform.now()
      if (worker === null) outcome = 'no_worker'
      if (timeoutMs <= 0) outcome = 'over_budget'
      if (worker === null || timeoutMs <= 0) return null
      const reply = await lookups.tokenizer.tokenize({
        worker,
        model,
        fields,
        trace,
        timeoutMs,
        signal: request.signal,
      })
      if (reply.kind === 'answer') return reply.answer
      outcome = reply.reason
      noteFailure(parts, exchange, { step: 'tokenize', worker: worker.id, failure: reply })
      return null
    },
    {
      signal: request.signal,
      waitUntil: (task) => exchange.context.waitUntil(task),
      budgetMs: Math.max(0, untilMs - now()),
      wanted: lookups.needs.maxTokens,
    },
  )
  if (found === null) step.note(outcome === 'ok' ? 'timeout' : outcome)
  else step.note(TOKENIZED[found.source])
  return found?.ids ?? null
}

function noteLook(parts: LmcacheParts, exchange: Exchange, reply: LookupReply): void {
  if (reply.kind === 'failure') noteFailure(parts, exchange, { step: 'lookup', worker: null, failure: reply })
}

type FailedStep = Pick<LmcacheFailure, 'step' | 'worker'> & { readonly failure: ServiceFailure }

/** Told each time, which the breaker keeps from being often; callers who leave, or ask nonsense, are no failure. */
function noteFailure({ events }: LmcacheParts, { requestId }: Exchange, { failure, ...step }: FailedStep): void {
  const { reason: outcome, why } = failure
  if (outcome === 'aborted' || outcome === 'refused' || outcome === 'breaker_open') return
  events.lmcacheFailed({ requestId, ...step, outcome, why })
}

/** How records call where the ids came from. */
const TOKENIZED: Readonly<Record<IdSource, string>> = {
  loaded: 'ok',
  joined: 'ok',
  memory: 'cached',
  shared: 'cached',
  prefix: 'prefix',
}

/** By its size in bytes: what is surely too short to be in any cache is not worth a call. */
function isLongEnough({ promptCaches }: LmcacheParts, { request: { json }, model, lookups }: Asked): boolean {
  if (json === null) return false
  const enough = Math.ceil(lookups.needs.minPromptTokens * promptCaches.costs.bytesPerToken(model))
  const length = promptText(json, enough)?.length ?? 0
  return length >= enough || length + (JSON.stringify(json['tools'] ?? '').length - 2) >= enough
}

/** Anybody who serves the model and takes usual work, so that all of them share it. */
function tokenizingWorker({ mirror, platform }: LmcacheParts, { model, lookups }: Asked): WorkerConfig | null {
  const able = new Set<string>()
  for (const { workerId, models, availability } of mirror.view().candidates) {
    const serves = model === null || models?.has(model) === true
    if (serves && isUsable(availability) && lookups.tokenizer.isAsked(workerId)) able.add(workerId)
  }
  const drawn = [...able][Math.floor(platform.random() * able.size)]
  return drawn === undefined ? null : mirror.worker(drawn)
}

/** Chunks by worker, as last heard; null where that is nothing to go by, as what a blind control plane counts is. */
function occupancyOf(parts: LmcacheParts, exchange: Exchange, desk: LmcacheDesk): LmcacheFact['chunkCounts'] {
  if (desk.lookups?.sight.judge.sight().state === 'blind') {
    exchange.steps.push({ step: 'occupancy', outcome: 'blind', ms: 0 })
    return null
  }
  const view = parts.mirror.lmcache()
  const counts = (view?.instances ?? []).flatMap(({ instanceId, chunks }) =>
    chunks === null ? [] : [[instanceId, chunks] as const],
  )
  const chunkCounts = byWorker(counts, joinOf(parts, desk), (one, other) => one + other)
  const hasAny = Object.keys(chunkCounts).length > 0
  const state = view?.state ?? 'unknown'
  let outcome: string = state
  if (state === 'fresh') outcome = hasAny ? 'ok' : counts.length > 0 ? 'unmapped' : 'no_counts'
  exchange.steps.push({ step: 'occupancy', outcome, ms: 0 })
  return hasAny ? chunkCounts : null
}

function joinOf({ mirror }: LmcacheParts, desk: LmcacheDesk) {
  return desk.joinFor(mirror.lmcache()?.instances ?? NO_INSTANCES)
}

const NO_INSTANCES: readonly never[] = []

/** Said once of each: a name that fits no worker makes every match of it worthless. */
function noteStrangers(parts: LmcacheParts, desk: LmcacheDesk, instanceIds: Iterable<string>): void {
  const join = joinOf(parts, desk)
  for (const instanceId of instanceIds) {
    if (join(instanceId).length === 0 && desk.isNewStranger(instanceId)) parts.events.lmcacheStranger(instanceId)
  }
}
