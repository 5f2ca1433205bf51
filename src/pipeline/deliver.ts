// A worker's answer on its way to the client: what is refused, what is read whole, what streams, and the bookkeeping
// at its end (lease back, usage, record).

import { createStreamTap, type StreamTap } from '../dialect/stream-tap.ts'
import { readUsageFromText } from '../dialect/usage.ts'
import { RouterError } from '../errors/router-error.ts'
import type { Lease } from '../store/lease-book.ts'
import { answerLength, toClientHeaders } from '../upstream/headers.ts'
import { relayBody, type BodyTap, type StreamEnd } from '../upstream/relay.ts'
import type { Answer } from '../upstream/send.ts'
import { closeExchange } from './close.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'
import { setRoutingHeaders } from './routing-headers.ts'

/**
 * Answers up to this size are read whole before they are passed on, so that one cut short by the worker becomes a 502
 * instead of half a JSON document. Longer ones stream; events always do.
 */
const MAX_READ_WHOLE_BYTES = 256 * 1024

/** Statuses whose answers have no body by definition (RFC 9110). */
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])

export interface Delivery {
  readonly answer: Answer
  readonly lease: Lease
  readonly workerId: string
}

/** Turns the worker's answer into the client's. Throws `RouterError` for one that can't be passed on. */
export async function deliver(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  delivery: Delivery,
): Promise<Response> {
  const { response } = delivery.answer
  const isEventStream = mediaType(response.headers) === 'text/event-stream'
  try {
    refuseUnusable(response, request, isEventStream)
    const { body } = response
    const length = answerLength(response.headers)
    if (body === null || BODILESS_STATUSES.has(response.status)) {
      return await deliverWhole(parts, exchange, request, delivery)
    }
    if (!isEventStream && length !== null && length <= MAX_READ_WHOLE_BYTES) {
      return await deliverWhole(parts, exchange, request, delivery)
    }
    return deliverStream(parts, exchange, request, { ...delivery, body, isEventStream })
  } catch (error) {
    delivery.answer.abort()
    delivery.lease.release()
    throw error
  }
}

function refuseUnusable(response: Response, request: InferenceRequest, isEventStream: boolean): void {
  const { status } = response
  if (status < 200 || (status >= 300 && status < 400)) {
    throw new RouterError('upstream_invalid', `The worker answered with status ${status}, which is not passed on.`)
  }
  if (request.wantsStream && status === 200 && !isEventStream) {
    // A client library that asked for events shows an empty success when it gets anything else.
    throw new RouterError('upstream_invalid', 'The worker did not answer a stream request with an event stream.')
  }
}

async function deliverWhole(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { answer, lease, workerId }: Delivery,
): Promise<Response> {
  const { response } = answer
  const bytes = await readWhole(answer)
  answer.finish()
  lease.release()
  if (response.ok && isJson(response.headers)) {
    if (!looksLikeWholeJson(bytes)) throw new RouterError('upstream_invalid', 'The worker sent an incomplete answer.')
    const responseId = request.onResponseId === null ? null : readResponseId(bytes)
    if (responseId !== null) await request.onResponseId?.(responseId, workerId)
    exchange.usage = readUsageFromText(tailOf(bytes))
  }
  closeExchange(parts, exchange, { status: response.status, streamEnd: 'complete', errorCode: null })
  const headers = toClientHeaders(response.headers)
  setRoutingHeaders(headers, exchange)
  return new Response(BODILESS_STATUSES.has(response.status) ? null : bytes, { status: response.status, headers })
}

async function readWhole(answer: Answer): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await answer.response.arrayBuffer())
  } catch (cause) {
    const interruption = answer.interruption()
    if (interruption?.kind === 'client_gone') {
      throw new RouterError('client_closed_request', 'The client closed the connection.', { cause })
    }
    if (interruption?.kind === 'timeout') {
      const message = `The worker took longer than the ${interruption.limit} timeout.`
      throw new RouterError('upstream_timeout', message, { cause })
    }
    throw new RouterError('upstream_invalid', 'The worker broke off in the middle of its answer.', { cause })
  }
}

function deliverStream(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  delivery: Delivery & { readonly body: ReadableStream<Uint8Array>; readonly isEventStream: boolean },
): Response {
  const { answer, lease, body, isEventStream, workerId } = delivery
  const { response } = answer
  const tap = isEventStream ? createStreamTap(request.streamKind) : null
  const stream = relayBody({
    answer,
    source: body,
    tap: tap === null ? null : withResponseId(tap, request, workerId, exchange),
    onFirstByte() {
      exchange.firstByteAtMs = parts.platform.now()
    },
    onEnd(streamEnd: StreamEnd) {
      lease.release()
      exchange.usage = tap?.usage() ?? null
      closeExchange(parts, exchange, { status: response.status, streamEnd, errorCode: null })
    },
  })
  const headers = toClientHeaders(response.headers)
  setRoutingHeaders(headers, exchange)
  return new Response(stream, { status: response.status, headers })
}

/** Passes the id of a stored response on as soon as the stream has named it. */
function withResponseId(tap: StreamTap, request: InferenceRequest, workerId: string, exchange: Exchange): BodyTap {
  const { onResponseId } = request
  if (onResponseId === null) return tap
  let isTold = false
  return {
    push(chunk) {
      const bytes = tap.push(chunk)
      const responseId = isTold ? null : tap.responseId()
      if (responseId !== null) {
        isTold = true
        exchange.context.waitUntil(onResponseId(responseId, workerId))
      }
      return bytes
    },
    end: () => tap.end(),
    fail: (message, code) => tap.fail(message, code),
  }
}

function mediaType(headers: Headers): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function isJson(headers: Headers): boolean {
  const type = mediaType(headers)
  return type === 'application/json' || type.endsWith('+json')
}

const OPENERS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x22]) // { [ "
const CLOSERS: ReadonlySet<number> = new Set([0x7d, 0x5d, 0x22]) // } ] "

/** Whether a JSON answer begins and ends as one must. Cheap, and enough to notice a cut; parsing is the client's. */
function looksLikeWholeJson(bytes: Uint8Array): boolean {
  const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
  let start = 0
  let end = bytes.length - 1
  while (start < end && isBlank(bytes[start])) start += 1
  while (end > start && isBlank(bytes[end])) end -= 1
  const [first, last] = [bytes[start], bytes[end]]
  if (first === undefined || last === undefined) return false
  // `null`, `true` and numbers are whole documents too; nothing can be told of them from their ends.
  return OPENERS.has(first) ? CLOSERS.has(last) && end > start : true
}

/** How much of an answer's end is searched for `usage`: vLLM writes it after the choices, before a few nulls. */
const USAGE_TAIL_BYTES = 4_096

function tailOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(Math.max(0, bytes.length - USAGE_TAIL_BYTES)))
}

function readResponseId(bytes: Uint8Array): string | null {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof body === 'object' && body !== null && 'id' in body && typeof body.id === 'string' ? body.id : null
  } catch {
    // Not JSON after all: then there is no id to remember, and the client gets the bytes as they are.
    return null
  }
}
