// One question to a service that answers JSON: posted, read whole within its deadline and size, and parsed. Behind a
// breaker, since all of them are asked on the way to a decision and none may hold up every request.

import type { Secret } from '../secret.ts'
import type { Platform } from '../platform.ts'
import type { TraceHeaders } from '../tracing/trace-headers.ts'
import type { Breaker } from './breaker.ts'
import { callHook } from './hook-client.ts'

/** Why nothing came of a question, in a word for records. */
export type ServiceFailureReason = 'timeout' | 'unreachable' | 'refused' | 'bad_answer' | 'breaker_open' | 'aborted'

/** `refused`: the service says that the question is at fault. `why` is for the log and holds no text of a request. */
export interface ServiceFailure {
  readonly kind: 'failure'
  readonly reason: ServiceFailureReason
  readonly why: string
}

export interface ServiceQuestion {
  readonly url: string
  readonly apiKey: Secret | null
  readonly body: unknown
  /** What it continues. */
  readonly trace?: TraceHeaders | undefined
  readonly timeoutMs: number
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

export type ServicePlatform = Pick<Platform, 'now' | 'after' | 'send' | 'classifySendError'>

/** Vectors as decimal numbers take about 20 bytes each: a batch of 32 with 4,096 numbers is below this. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/** Statuses that speak of the question, not of the service. */
const REFUSALS: ReadonlySet<string> = new Set(['status 400', 'status 413', 'status 422'])

/**
 * Asks, and lets `read` make something of the answer; null from it is a bad answer. Never rejects, and never takes longer
 * than the deadline.
 */
export async function askService<Answer>(
  platform: ServicePlatform,
  breaker: Breaker,
  question: ServiceQuestion,
  read: (answer: unknown) => Answer | null,
): Promise<{ readonly kind: 'answer'; readonly answer: Answer } | ServiceFailure> {
  const permit = breaker.enter()
  if (permit === null) return failure('breaker_open', 'it failed several times in a row')
  const { url, apiKey, timeoutMs, signal } = question
  const headers = new Headers({
    ...question.trace,
    'content-type': 'application/json',
    accept: 'application/json',
    // A compressed answer could unpack to far more than was read.
    'accept-encoding': 'identity',
  })
  if (apiKey !== null) headers.set('authorization', `Bearer ${apiKey.reveal()}`)
  const body = new Uint8Array(new TextEncoder().encode(JSON.stringify(question.body)))
  const call = { url, headers, body, timeoutMs, clientSignal: signal, maxAnswerBytes: MAX_ANSWER_BYTES }
  const reply = await callHook(platform, call)
  if (reply.kind === 'aborted') {
    permit.calledOff()
    return failure('aborted', 'nobody waited for it any more')
  }
  if (reply.kind === 'error' && REFUSALS.has(reply.why)) {
    permit.succeeded()
    return failure('refused', reply.why)
  }
  const answer = reply.kind === 'answer' ? read(parsed(reply.bytes)) : null
  if (answer !== null) {
    permit.succeeded()
    return { kind: 'answer', answer }
  }
  permit.failed()
  if (reply.kind === 'timeout') return failure('timeout', `no whole answer in ${timeoutMs} ms`)
  if (reply.kind === 'error') return failure('unreachable', reply.why)
  return failure('bad_answer', 'its answer is not of the shape that was asked for')
}

/** Operators write the base URL, as for a worker, or with /v1 behind it, as client libraries want it, or all of it. */
export function endpointOf(url: string, path: string): string {
  const base = url.replace(/\/+$/, '')
  if (base.endsWith(path)) return base
  return base.endsWith('/v1') && path.startsWith('/v1/') ? base + path.slice('/v1'.length) : base + path
}

export function failure(reason: ServiceFailureReason, why: string): ServiceFailure {
  return { kind: 'failure', reason, why }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    // No JSON is an answer of the wrong shape like any other.
    return null
  }
}
