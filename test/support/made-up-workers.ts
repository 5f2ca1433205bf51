// Four made-up workers for tests of retries in one process: their configuration, and the ways in which they answer.

import { sendFailure } from './in-process-router.ts'

export const WORKERS = ['w1:1', 'w2:1', 'w3:1', 'w4:1']

export const JSON_HEADERS = { 'content-type': 'application/json' }
export const SSE_HEADERS = { 'content-type': 'text/event-stream' }
export const EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
export const END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

/** Workers that all serve `m`, with more of the configuration behind them. */
export function config(extra = '', workers: readonly string[] = WORKERS): string {
  const lines = workers.map((host) => `  - { url: "http://${host}", models: [m] }`).join('\n')
  return `workers:\n${lines}\npolicy: random\n${extra}`
}

export const BEHAVIOURS = [
  'ok',
  'stream',
  'refused',
  'reset',
  'short',
  '429',
  '500',
  '502',
  '503',
  '504',
  '400',
  'cut',
] as const

export type Behaviour = (typeof BEHAVIOURS)[number]

/** The answer of a worker that behaves so; throws what its runtime would. */
export function behave(behaviour: Behaviour): Response {
  switch (behaviour) {
    case 'ok':
      return new Response('{"object":"chat.completion"}', { headers: { ...JSON_HEADERS, 'content-length': '28' } })
    case 'stream':
      return new Response(EVENT + END, { headers: SSE_HEADERS })
    case 'cut':
      return new Response(EVENT, { headers: SSE_HEADERS })
    case 'short':
      return cutAnswer({ ...JSON_HEADERS, 'content-length': '28' })
    case 'refused':
      throw sendFailure('not_sent', 'refused')
    case 'reset':
      throw sendFailure('maybe_sent', 'reset')
    default:
      return new Response('{"error":{}}', { status: Number(behaviour), headers: JSON_HEADERS })
  }
}

/** An answer whose connection breaks in the middle of its JSON. */
export function cutAnswer(headers: Readonly<Record<string, string>>, status = 200): Response {
  let isBegun = false
  const body = new ReadableStream({
    pull(controller) {
      if (isBegun) controller.error(new Error('cut'))
      else controller.enqueue(new TextEncoder().encode('{"object":'))
      isBegun = true
    },
  })
  return new Response(body, { status, headers })
}

/** A client's request for a model, as bytes of JSON. */
export function jsonInit(body: object = {}): RequestInit {
  return { headers: JSON_HEADERS, body: JSON.stringify({ model: 'm', messages: [], ...body }) }
}
