// A request that is decided and not made: the same stages as live traffic, by the same functions, without what they leave
// behind. No turn is taken, no lease, permit or limit is used, no record is kept, and no worker hears of it but for
// what the policy asks before each decision (a tokenizer).

import type { TenantConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import { meterLimit, METERS } from '../limits/meters.ts'
import type { DecisionRecord } from '../record/schema.ts'
import type { ViewDocument } from '../record/view-document.ts'
import { noteChoice } from './attempt.ts'
import { refusalOf, shuttingDown } from './caller-refusal.ts'
import { createCallers, partyOf } from './callers.ts'
import { decideNow, drawSeed, toInput } from './choose-worker.ts'
import type { DecisionTrace, Exchange } from './exchange.ts'
import type { Facts, Turns } from './facts.ts'
import { hooksFor, runHooks } from './hooks.ts'
import type { InferenceRequest } from './inference-request.ts'
import { toRecord } from './record.ts'
import { RETRY_AFTER_SECONDS } from './resolve-model.ts'
import type { RouterParts } from './router-parts.ts'
import { prepare } from './run.ts'

export interface DryRunRequest {
  /** Whose request it is; `offered` for whoever the keys in its headers belong to. */
  readonly caller: 'offered' | { readonly tenant: TenantConfig | null }
  readonly headers: Headers
  readonly signal: AbortSignal
  /** Whether hooks, and services that check keys, are really asked. */
  readonly asksHooks: boolean
  /** Draws what is drawn; null for a draw of its own. */
  readonly seed: number | null
  /** Throws `RouterError` for a body that live traffic would refuse. */
  read(): InferenceRequest
}

/** What a record of it would hold; there is none, so it has no end. */
export type DryRecord = Omit<DecisionRecord, 'status' | 'duration_ms' | 'lifecycle_state'> &
  Partial<Pick<DecisionRecord, 'status'>>

export interface DryRunOutcome {
  readonly record: DryRecord
  readonly view: ViewDocument | null
  /** Hooks and services that a live request would have been put to. */
  readonly notAsked: readonly string[]
  /** What is left of the tenant's limits as far as it is known here. */
  readonly limits: readonly { readonly meter: string; readonly limit: number; readonly remaining: number }[]
  /** What a live request would have been refused with. */
  readonly error: RouterError | null
}

/** How the services of `api_key_validation_urls` are called where nobody asked them. */
const KEY_SERVICES = 'api_key_validation_urls'

/** `exchange` is one of its own, with its route noted. Rejects for defects alone. */
export async function dryRun(parts: RouterParts, exchange: Exchange, asked: DryRunRequest): Promise<DryRunOutcome> {
  const notAsked: string[] = []
  // The split of a model rule is drawn by it, as that of a live request is by its own.
  exchange.decisionId = `dry-${parts.platform.randomId()}`
  let error: RouterError | null = null
  try {
    await admit(parts, exchange, asked, notAsked)
    const prepared = await prepare(parts, exchange, asked.read(), stepsOf(parts, asked, notAsked))
    if (prepared !== null) chooseFor(parts, exchange, { ...prepared, seed: asked.seed ?? drawSeed(parts) })
  } catch (cause) {
    if (!(cause instanceof RouterError)) throw cause
    error = cause
  }
  const view = exchange.trace === null ? null : parts.viewDocuments.of(exchange.trace.view)
  return {
    record: toDryRecord(parts, exchange, view, error),
    view,
    notAsked,
    limits: peekLimits(parts, exchange),
    error,
  }
}

async function admit(
  parts: RouterParts,
  exchange: Exchange,
  { caller, headers, signal, asksHooks }: DryRunRequest,
  notAsked: string[],
): Promise<void> {
  if (caller !== 'offered') {
    exchange.tenant = caller.tenant
    exchange.party = caller.tenant?.name ?? null
  } else {
    const { config, platform } = parts
    const silent = { config: { ...config, keyValidation: null }, platform, onKeyServiceFailure() {} }
    const callers = asksHooks ? parts.callers : createCallers(silent)
    const { waitUntil } = exchange.context
    const found = await callers.identify(headers, { requestId: exchange.requestId, signal: () => signal, waitUntil })
    if (found.kind === 'known') {
      exchange.tenant = found.tenant
      exchange.party = partyOf(found)
    } else if (found.kind === 'stranger' && config.keyValidation !== null && !asksHooks) notAsked.push(KEY_SERVICES)
    else throw refusalOf(found)
  }
  if (parts.isDraining()) throw shuttingDown()
}

function stepsOf({ mirror }: RouterParts, { asksHooks }: DryRunRequest, notAsked: string[]) {
  const turns: Turns = {
    ticket: (key) => mirror.peekTicket(key),
    // Where the one count is elsewhere nobody can look at it without taking a turn.
    strictTicket: async (key) => mirror.peekStrictTicket(key),
  }
  const noteHooks: typeof runHooks = async (parts, exchange, request) => {
    notAsked.push(...hooksFor(parts, exchange, request))
    return request
  }
  return { runHooks: asksHooks ? runHooks : noteHooks, turns, takesTurns: false }
}

interface Wanted {
  readonly request: InferenceRequest
  readonly facts: Facts
  readonly seed: number
}

/** The first attempt's choice, as `AttemptLoop` would make it. Throws `no_worker` when there is nobody. */
function chooseFor(parts: RouterParts, exchange: Exchange, { request, facts, seed }: Wanted): void {
  const { pinnedWorkerId } = request
  let first: DecisionTrace | null = null
  for (const model of [exchange.model, ...exchange.nextModels]) {
    const trace = decideNow(parts, toInput(facts, { model, tried: [], pinnedWorkerId }), seed)
    const { chosen } = trace.decision
    const worker = chosen === null ? null : parts.mirror.worker(chosen.workerId)
    if (chosen !== null && worker !== null) return noteChoice(exchange, { candidate: chosen, worker, model, trace })
    first ??= trace
  }
  exchange.trace = first
  throw new RouterError('no_worker', 'No worker for this request is available at the moment.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  })
}

function toDryRecord(
  { platform }: RouterParts,
  exchange: Exchange,
  view: ViewDocument | null,
  error: RouterError | null,
): DryRecord {
  const errorCode = error?.code ?? null
  const end = { status: error?.definition.status ?? 0, streamEnd: null, errorCode, atMs: platform.now() }
  const record = toRecord(exchange, exchange.decisionId ?? '', { ...end, viewHash: view?.view_hash ?? null })
  const { status, duration_ms: _duration, lifecycle_state: _state, ...rest } = record
  return error === null ? rest : { ...rest, status }
}

/** A look: another router may know better, and nothing is leased for it. */
function peekLimits({ limits }: RouterParts, { tenant }: Exchange): DryRunOutcome['limits'] {
  if (tenant === null) return []
  const standing = limits.use(tenant.name)?.standing ?? {}
  return METERS.flatMap((meter) => {
    const limit = meterLimit(tenant, meter)
    if (limit === null) return []
    // One that has not called here yet has all of it left.
    const { remaining = limit.capacity } = standing[meter] ?? {}
    return [{ meter, limit: limit.capacity, remaining }]
  })
}
