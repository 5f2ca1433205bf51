// The stage before routing: operators' hooks allow, reject or transform a request, on every inference route.

import type { HookConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import { matchCovers } from '../routing/model-rules.ts'
import type { Span } from '../tracing/request-trace.ts'
import { SPAN_HOOK_EXECUTE, SPAN_HOOKS_PIPELINE } from '../tracing/span-names.ts'
import { createBreaker } from '../upstream/breaker.ts'
import { type ArmedHook, askHook, type HookVerdict } from './ask-hook.ts'
import type { Exchange } from './exchange.ts'
import { modelSoFar } from './hook-input.ts'
import { toHookEntry } from './hook-outcomes.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'
import { beginStage } from './tracing.ts'

/** Hooks in configured order; those of one group are asked side by side. */
export type HookGroups = readonly (readonly ArmedHook[])[]

/** How much of a hook's reason a caller may get to see. */
const MAX_REASON_LENGTH = 512

/** Groups the hooks, each with a breaker of its own: the one it had in `earlier` groups, unless it has changed. */
export function createHookGroups(
  hooks: readonly HookConfig[],
  now: () => number,
  earlier: HookGroups = [],
): HookGroups {
  const breakers = new Map(earlier.flat().map(({ hook, breaker }) => [JSON.stringify(hook), breaker]))
  const groups: ArmedHook[][] = []
  let isOpen = false
  for (const hook of hooks) {
    const armed = { hook, breaker: breakers.get(JSON.stringify(hook)) ?? createBreaker({ now }) }
    // Two that may both change the body can't be asked about the same one.
    const isSideBySide = hook.isParallel && !hook.mayTransform
    if (isSideBySide && isOpen) groups.at(-1)?.push(armed)
    else groups.push([armed])
    isOpen = isSideBySide
  }
  return groups
}

/** The request as the hooks leave it. Throws `RouterError` when one of them stops it. */
export async function runHooks(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
): Promise<InferenceRequest> {
  let stage: Span | null = null
  let current = request
  try {
    for (const group of parts.hookGroups) {
      const due = group.filter(({ hook }) => isDue(hook, exchange, current))
      if (due.length === 0) continue
      stage ??= beginStage(exchange, SPAN_HOOKS_PIPELINE)
      const asked = await Promise.all(due.map(async (armed) => askTraced(parts, exchange, current, { armed, stage })))
      for (const { hook, verdict } of asked) noteOutcome(parts, exchange, hook, verdict)
      // In configured order, so that which of two rejections a caller sees does not depend on who was quicker.
      for (const { hook, verdict } of asked) current = requestAfter(hook, verdict) ?? current
    }
    stage?.set({ 'hooks.outcome': 'allow' })
  } catch (error) {
    stage?.set({ 'hooks.outcome': 'reject' })
    throw error
  } finally {
    stage?.set({ 'hooks.count': exchange.hooksRan.length })
    stage?.end()
  }
  return current
}

async function askTraced(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { armed, stage }: { readonly armed: ArmedHook; readonly stage: Span | null },
): Promise<{ readonly hook: HookConfig; readonly verdict: HookVerdict }> {
  const { hook } = armed
  const span = stage === null ? null : beginStage(exchange, SPAN_HOOK_EXECUTE, { below: stage, kind: 'client' })
  const verdict = await askHook(parts, exchange, request, armed, span)
  if (span !== null) {
    const outcome = verdict.kind === 'client_gone' ? 'aborted' : verdict.kind === 'reject' ? 'reject' : verdict.outcome
    span.set({
      'hook.name': hook.name,
      'hook.url': shownUrl(hook.url),
      'hook.timeout_ms': hook.timeoutMs,
      'hook.outcome': outcome,
    })
    if (verdict.kind === 'failure') span.fail(verdict.why)
    span.end()
  }
  return { hook, verdict }
}

/** Without what may hold a key. */
function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Names of the hooks that a request would be put to, as far as its model is known. */
export function hooksFor(
  { hookGroups }: Pick<RouterParts, 'hookGroups'>,
  exchange: Exchange,
  request: InferenceRequest,
) {
  return hookGroups.flat().flatMap(({ hook }) => (isDue(hook, exchange, request) ? [hook.name] : []))
}

/** A hook for certain models is asked, too, where the request names none: it may turn out to be one of them. */
function isDue(hook: HookConfig, { route, config }: Exchange, request: InferenceRequest): boolean {
  return matchesAny(hook.routes, route) && matchesAny(hook.models, modelSoFar(request, config))
}

function matchesAny(patterns: readonly string[] | null, name: string | null): boolean {
  if (patterns === null || name === null) return true
  return patterns.some((pattern) => matchCovers(pattern, name))
}

function noteOutcome(parts: RouterParts, exchange: Exchange, hook: HookConfig, verdict: HookVerdict): void {
  if (verdict.kind === 'client_gone') return
  const outcome = verdict.kind === 'reject' ? 'rejected' : verdict.outcome
  exchange.hooksRan.push(toHookEntry(hook.name, outcome))
  // An open breaker says nothing new: what opened it has been told.
  if (verdict.kind !== 'failure' || outcome === 'open') return
  parts.events.hookFailed({ requestId: exchange.requestId, hook: hook.name, outcome, why: verdict.why })
}

/** The request to go on with; null for the one the hook was asked about. Throws what stops it. */
function requestAfter(hook: HookConfig, verdict: HookVerdict): InferenceRequest | null {
  switch (verdict.kind) {
    case 'pass':
      return verdict.request
    case 'reject':
      throw rejection(hook, verdict.reason)
    case 'client_gone':
      throw new RouterError('client_closed_request', 'The client closed the connection.')
    case 'failure':
      if (hook.onError === 'pass') return null
      // The name is in the headers, for operators who show them; the message is for every caller.
      throw new RouterError('hook_failed', 'A check that this request has to pass could not be made.')
  }
}

function rejection(hook: HookConfig, reason: string | null): RouterError {
  const code = hook.onReject === 'block400' ? 'hook_rejected_request' : 'hook_rejected'
  const given = hook.exposesReason && reason !== null ? shortened(reason.trim()) : ''
  return new RouterError(code, given === '' ? 'This request was rejected by a check of the operator.' : given)
}

function shortened(reason: string): string {
  if (reason.length <= MAX_REASON_LENGTH) return reason
  // The cut must not leave half a character.
  return `${reason.slice(0, MAX_REASON_LENGTH - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
