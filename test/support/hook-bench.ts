// The hook stage on its own: hooks by configuration, their answers by a function, a clock that stands still.

import type { HookConfig } from '../../src/config/config.ts'
import { RouterError } from '../../src/errors/router-error.ts'
import type { SendRequestInit } from '../../src/platform.ts'
import type { HookFailure } from '../../src/pipeline/events.ts'
import { type Exchange, openExchange } from '../../src/pipeline/exchange.ts'
import { createHookGroups } from '../../src/pipeline/hooks.ts'
import type { InferenceRequest } from '../../src/pipeline/inference-request.ts'
import { readJsonRequest } from '../../src/pipeline/json-request.ts'
import type { RouterParts } from '../../src/pipeline/router-parts.ts'

/** What a hook answers: a string as it is, anything else as JSON; what it throws is a connection that fails. */
export type Answers = (call: { readonly url: string; readonly body: string; readonly headers: Headers }) => unknown

export interface HookBenchOptions {
  readonly hooks: readonly Partial<HookConfig>[]
  readonly answer: Answers
  readonly config?: { readonly defaultModel?: string; readonly maxPayloadBytes?: number }
}

const DEFAULT_HOOK: Omit<HookConfig, 'name' | 'url'> = {
  timeoutMs: 200,
  onError: 'pass',
  onReject: 'block403',
  mayTransform: false,
  headers: {},
  apiKey: null,
  routes: null,
  models: null,
  send: 'body',
  isParallel: false,
  exposesReason: false,
}

export function openHookBench({ hooks, answer, config = {} }: HookBenchOptions) {
  let nowMs = 0
  const failures: HookFailure[] = []
  const calls: string[] = []
  const whole = hooks.map((hook, index) => {
    const name = hook.name ?? `hook-${index + 1}`
    return { ...DEFAULT_HOOK, name, url: `http://hooks.test/${name}`, ...hook }
  })
  const send = async (url: string, { body, headers }: SendRequestInit) => {
    calls.push(url.slice('http://hooks.test/'.length))
    const given = await answer({
      url,
      headers: new Headers(headers),
      body: new TextDecoder().decode(body as Uint8Array),
    })
    return new Response(typeof given === 'string' ? given : JSON.stringify(given))
  }
  const parts = {
    config: { defaultModel: null, maxPayloadBytes: null, ...config },
    platform: {
      now: () => nowMs,
      after: () => () => {},
      send,
      classifySendError: () => ({ phase: 'not_sent', reason: 'refused' }),
      defaultMaxPayloadBytes: 1_000_000,
    },
    hookGroups: createHookGroups(whole, () => nowMs),
    events: { hookFailed: (failure: HookFailure) => void failures.push(failure) },
    // The stage touches nothing else of the router.
  } as unknown as RouterParts
  return { parts, calls, failures, pass: (ms: number) => void (nowMs += ms) }
}

export function exchangeFor(parts: RouterParts, route = '/v1/chat/completions'): Exchange {
  const context = { waitUntil() {}, rawTarget: null }
  const exchange = openExchange({ requestId: 'req-1', receivedAtMs: 0, config: parts.config, context })
  exchange.route = route
  return exchange
}

/** A request without a body, as for a stored response. */
export const NO_BODY: InferenceRequest = {
  method: 'GET',
  target: '/v1/responses/resp_1',
  headers: new Headers(),
  bodyFor: () => null,
  canResend: true,
  json: null,
  requestedModel: null,
  needsModel: false,
  wantsStream: false,
  streamKind: 'other',
  storedResponseId: null,
  pinnedWorkerId: null,
  bodyFault: () => null,
  signal: new AbortController().signal,
  onResponseId: null,
}

export function chat(body: object | string, overrides: Partial<InferenceRequest> = {}): InferenceRequest {
  const bytes = new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
  const headers = new Headers({ 'content-type': 'application/json' })
  return { ...NO_BODY, method: 'POST', headers, needsModel: true, ...readJsonRequest(bytes), ...overrides }
}

export const bytesOf = (request: InferenceRequest) => new TextDecoder().decode(request.bodyFor(null) as Uint8Array)

/** What a request was refused with; rejects when it was not. */
export async function refusalOf(running: Promise<unknown>): Promise<RouterError> {
  const error: unknown = await running.then(
    () => null,
    (cause: unknown) => cause,
  )
  if (!(error instanceof RouterError)) throw new Error('the request was not refused', { cause: error })
  return error
}
