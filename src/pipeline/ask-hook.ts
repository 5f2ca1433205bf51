// One hook asked about one request: what it is sent, what its answer means, and what the operator's settings make of it.

import type { HookConfig } from '../config/config.ts'
import { type HookAnswer, readHookAnswer } from '../dialect/hook-answer.ts'
import type { Breaker, BreakerPermit } from '../upstream/breaker.ts'
import type { Span } from '../tracing/request-trace.ts'
import { callHook, type HookReply } from '../upstream/hook-client.ts'
import { toHookHeaders } from '../upstream/hook-headers.ts'
import type { Exchange } from './exchange.ts'
import { applyTransform, type HookInput, toHookInput } from './hook-input.ts'
import type { HookOutcome } from './hook-outcomes.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'

/** A hook with the breaker that this process or isolate keeps for it. */
export interface ArmedHook {
  readonly hook: HookConfig
  readonly breaker: Breaker
}

/** What became of asking. */
export type HookVerdict =
  | { readonly kind: 'pass'; readonly outcome: HookOutcome; readonly request: InferenceRequest }
  | { readonly kind: 'reject'; readonly reason: string | null }
  /** The hook did not do its work. `why` is for the log. */
  | { readonly kind: 'failure'; readonly outcome: HookOutcome; readonly why: string }
  | { readonly kind: 'client_gone' }

/** Never rejects for what a hook does. `span` is the one of this call; null when the request is not traced. */
export async function askHook(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { hook, breaker }: ArmedHook,
  span: Span | null,
): Promise<HookVerdict> {
  const permit = breaker.enter()
  if (permit === null) return { kind: 'failure', outcome: 'open', why: 'it failed several times in a row' }
  const input = toHookInput(exchange, request, hook)
  const reply = await callHook(parts.platform, {
    url: hook.url,
    headers: toHookHeaders(request.headers, {
      headers: hook.headers,
      apiKey: hook.apiKey,
      requestId: exchange.requestId,
      route: exchange.route ?? '',
      input: input.kind,
      traceparent: exchange.tracing?.traceparent(span) ?? null,
    }),
    body: input.bytes,
    timeoutMs: hook.timeoutMs,
    clientSignal: request.signal,
  })
  const verdict = toVerdict(parts, request, { hook, input, reply })
  report(permit, verdict)
  return verdict
}

/**
 * A hook that did not do its work has failed, whether it was silent or made no sense: either way asking it costs time
 * and checks nothing. One request is one failure at most.
 */
function report(permit: BreakerPermit, { kind }: HookVerdict): void {
  if (kind === 'client_gone') permit.calledOff()
  else if (kind === 'failure') permit.failed()
  else permit.succeeded()
}

interface Asked {
  readonly hook: HookConfig
  readonly input: HookInput
  readonly reply: HookReply
}

function toVerdict(parts: RouterParts, request: InferenceRequest, { hook, input, reply }: Asked): HookVerdict {
  switch (reply.kind) {
    case 'aborted':
      return { kind: 'client_gone' }
    case 'timeout':
      return { kind: 'failure', outcome: 'timeout', why: `no whole answer in ${hook.timeoutMs} ms` }
    case 'error':
      return { kind: 'failure', outcome: 'error', why: reply.why }
    case 'answer':
      return answered(parts, request, { hook, input, answer: readHookAnswer(reply.bytes) })
  }
}

interface Answered {
  readonly hook: HookConfig
  readonly input: HookInput
  readonly answer: HookAnswer
}

function answered(parts: RouterParts, request: InferenceRequest, { hook, input, answer }: Answered): HookVerdict {
  switch (answer.kind) {
    case 'allow':
      return { kind: 'pass', outcome: 'allow', request }
    case 'reject':
      if (hook.onReject === 'pass') return { kind: 'pass', outcome: 'rejected-ignored', request }
      return { kind: 'reject', reason: answer.reason }
    case 'unknown_action':
      return { kind: 'failure', outcome: 'unknown', why: 'it answered with an unknown action' }
    case 'unreadable':
      return { kind: 'failure', outcome: 'error', why: answer.why }
    case 'transform':
    case 'transform_without_body':
    case 'transform_of_wrong_type':
      return hook.mayTransform
        ? transformed(parts, request, input, answer)
        : { kind: 'pass', outcome: 'allow', request }
  }
}

type TransformAnswer = Extract<HookAnswer, { readonly kind: `transform${string}` }>

function transformed(
  parts: RouterParts,
  request: InferenceRequest,
  input: HookInput,
  answer: TransformAnswer,
): HookVerdict {
  if (answer.kind === 'transform_without_body') {
    return { kind: 'failure', outcome: 'transform-no-body', why: 'it answered transform without a body' }
  }
  if (answer.kind === 'transform_of_wrong_type') {
    return { kind: 'failure', outcome: 'error', why: 'the body it answered is no object' }
  }
  // It was shown metadata: what it gives back can't be a version of a body it never saw.
  if (input.kind === 'metadata') {
    return { kind: 'failure', outcome: 'error', why: 'it transformed a body that it was not sent' }
  }
  const { next, fault } = applyTransform(parts, request, answer.body)
  if (next !== null) return { kind: 'pass', outcome: 'transformed', request: next }
  return { kind: 'failure', outcome: 'error', why: `the body it answered is not usable: ${fault}` }
}
