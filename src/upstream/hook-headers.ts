// The headers of a call to a hook: the operator's own, what ties the call to the request, and what the body is.

import { revealAll, type Secret } from '../secret.ts'
import { dropBadTraceContext } from '../tracing/trace-context.ts'
import { pickPlain } from './headers.ts'

/** Whether the hook sees the request's body or only its circumstances. A caller can't fake it: bodies are its own. */
export const HEADER_HOOK_INPUT = 'x-vllm-router-hook-input'

/** The request's route as the catalogue writes it, so that a hook knows what body to expect. */
export const HEADER_HOOK_ROUTE = 'x-vllm-router-hook-route'

export type HookInputKind = 'body' | 'metadata'

export interface HookHeaderOptions {
  /** From the configuration. They give way where the router sets the same name. */
  readonly headers: Readonly<Record<string, Secret>>
  readonly apiKey: Secret | null
  readonly requestId: string
  readonly route: string
  readonly input: HookInputKind
  /** Of the span that the hook continues; null passes on what the caller sent. */
  readonly traceparent: string | null
}

export function toHookHeaders(incoming: Headers, options: HookHeaderOptions): Headers {
  const headers = new Headers(revealAll(options.headers))
  const trace = pickPlain(incoming, ['traceparent', 'tracestate'])
  dropBadTraceContext(trace)
  for (const [name, value] of Object.entries(trace)) headers.set(name, value)
  headers.set('content-type', 'application/json')
  headers.set('accept', 'application/json')
  // A compressed answer could unpack to far more than was read.
  headers.set('accept-encoding', 'identity')
  headers.set('x-request-id', options.requestId)
  headers.set(HEADER_HOOK_INPUT, options.input)
  headers.set(HEADER_HOOK_ROUTE, options.route)
  if (options.traceparent !== null) headers.set('traceparent', options.traceparent)
  if (options.apiKey !== null) headers.set('authorization', `Bearer ${options.apiKey.reveal()}`)
  return headers
}
