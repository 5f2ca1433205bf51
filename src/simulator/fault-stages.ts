// Faults before and after a route has answered: those that keep it from answering, and those that spoil a good answer.

import type { Clock } from './clock.ts'
import { SocketCut } from './fault-rules.ts'
import type { Faults } from './fault-schema.ts'
import { textResponse } from './json-response.ts'
import { VllmError } from './vllm-error.ts'

const HOSTILE_HEADERS = {
  'set-cookie': ['session=worker; Path=/', 'shard=7'],
  'x-note': 'café ✓',
  'x-internal': 'gpu-node-17.internal:8000',
}

/** A request before it is answered. */
export interface Faulted {
  readonly faults: Faults
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** Runs the faults that come before a route; an answer given here replaces the route's. */
export async function beforeRoute({ faults, signal, clock }: Faulted): Promise<Response | null> {
  if (faults.hang === true) await untilAborted(signal)
  if (faults.slow_headers_ms !== undefined) await sleep(clock, faults.slow_headers_ms, signal)
  if (faults.die_before_headers === true) throw new SocketCut('reset')
  if (faults.status !== undefined) throw new VllmError(faults.status, faults.message ?? 'Simulated failure.')
  if (faults.html_200 !== true) return null
  const page = '<!doctype html><html><body>Please sign in.</body></html>'
  return textResponse(page, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}

/** Spoils an answer. */
export function afterRoute(response: Response, faults: Faults): Response {
  let spoiled = response
  if (faults.truncated_json === true) spoiled = truncate(spoiled)
  if (faults.gzip === true) spoiled = gzip(spoiled)
  if (faults.retry_after !== undefined) spoiled.headers.set('retry-after', String(faults.retry_after))
  if (faults.extra_headers === undefined) return spoiled
  const extra = faults.extra_headers === true ? HOSTILE_HEADERS : faults.extra_headers
  for (const [name, values] of Object.entries(extra)) {
    for (const value of [values].flat()) spoiled.headers.append(name, toByteString(value))
  }
  return spoiled
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve)
    const abort = (): void => {
      cancel()
      reject(signal.reason)
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

/** Promises more bytes than it sends, then ends the connection. Streams have their own ways to die. */
function truncate(response: Response): Response {
  const length = response.headers.get('content-length')
  const source = response.body
  if (length === null || source === null) return response
  const headers = new Headers(response.headers)
  headers.set('content-length', String(Number(length) + 64))
  const cut = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    flush: (controller) => controller.error(new SocketCut('end')),
  })
  return new Response(source.pipeThrough(cut), { status: response.status, headers })
}

/** Compresses whatever the caller accepts, as a proxy in between might. */
function gzip(response: Response): Response {
  if (response.body === null) return response
  const headers = new Headers(response.headers)
  headers.delete('content-length')
  headers.set('content-encoding', 'gzip')
  return new Response(response.body.pipeThrough(new CompressionStream('gzip')), { status: response.status, headers })
}

/** A header value as its UTF-8 bytes, one character each, which is how bytes travel in a Headers object. */
function toByteString(value: string): string {
  return String.fromCharCode(...new TextEncoder().encode(value))
}
