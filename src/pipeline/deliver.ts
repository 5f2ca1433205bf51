// A worker's answer on its way to the client: what is read whole, what streams, and the bookkeeping at its end (lease
// back, usage, record).

import { createStreamTap, type StreamTap } from '../dialect/stream-tap.ts'
import { readUsage } from '../dialect/usage.ts'
import { RouterError } from '../errors/router-error.ts'
import { answerLength, toClientHeaders } from '../upstream/headers.ts'
import { relayBody, type BodyTap, type StreamEnd } from '../upstream/relay.ts'
import type { Answer } from '../upstream/send.ts'
import { isJson, looksLikeWholeJson, mediaType, readResponseId, tailOf } from './answer-body.ts'
import { type AnsweredAttempt, noteChoice } from './attempt.ts'
import { closeExchange } from './close.ts'
import type { Exchange } from './exchange.ts'
import type { OpenedStream } from './gate.ts'
import type { InferenceRequest } from './inference-request.ts'
import { adviseOnRetries } from './retry-advice.ts'
import type { RouterParts } from './router-parts.ts'
import { setRoutingHeaders } from './routing-headers.ts'

/**
 * Answers up to this size are read whole before they are passed on, so that one cut short by the worker becomes a 502
 * instead of half a JSON document. Longer ones stream; events always do.
 */
const MAX_READ_WHOLE_BYTES = 256 * 1024

/** Statuses whose answers have no body by definition (RFC 9110). */
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])

/** Turns the worker's answer into the client's. Throws `RouterError` for one that breaks off before it is passed on. */
export async function deliver(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  answered: AnsweredAttempt,
): Promise<Response> {
  const { answer, lease } = answered
  const { headers, status } = answer.response
  noteChoice(exchange, answered)
  try {
    const isEventStream = mediaType(headers) === 'text/event-stream'
    const length = answerLength(headers)
    const isShort = !isEventStream && length !== null && length <= MAX_READ_WHOLE_BYTES
    // The body is asked for last: where it has to be made into a stream first, a short answer is spared that.
    const body = isShort || BODILESS_STATUSES.has(status) ? null : answer.response.body
    if (body === null) return await deliverWhole(parts, exchange, request, answered)
    return deliverStream(parts, exchange, request, { ...answered, opened: openStream(request, answered, body) })
  } catch (error) {
    answer.abort()
    lease.release()
    throw error
  }
}

async function deliverWhole(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { answer, lease, worker }: AnsweredAttempt,
): Promise<Response> {
  const { response } = answer
  const { status } = response
  const bytes = await readWhole(answer)
  answer.finish()
  lease.release()
  if (response.ok && isJson(response.headers)) {
    if (!looksLikeWholeJson(bytes)) throw new RouterError('upstream_invalid', 'The worker sent an incomplete answer.')
    const responseId = request.onResponseId === null ? null : readResponseId(bytes)
    if (responseId !== null) await request.onResponseId?.(responseId, worker.id)
    exchange.usage = readUsage(tailOf(bytes))
  }
  closeExchange(parts, exchange, { status, streamEnd: 'complete', errorCode: null })
  return new Response(BODILESS_STATUSES.has(status) ? null : bytes, {
    status,
    headers: answerHeaders(answer, exchange),
  })
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

/** A body to relay: as the gate left it, or not read from yet. */
type Relayed = Pick<OpenedStream, 'reader'> & { readonly tap: StreamTap | null; readonly head: Uint8Array | null }

function openStream(request: InferenceRequest, answered: AnsweredAttempt, body: ReadableStream<Uint8Array>): Relayed {
  if (answered.opened !== null) return answered.opened
  const isEventStream = mediaType(answered.answer.response.headers) === 'text/event-stream'
  return { reader: body.getReader(), tap: isEventStream ? createStreamTap(request.streamKind) : null, head: null }
}

function deliverStream(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { answer, lease, worker, opened }: Omit<AnsweredAttempt, 'opened'> & { readonly opened: Relayed },
): Response {
  const { status } = answer.response
  const { tap, reader, head } = opened
  const stream = relayBody({
    answer,
    reader,
    head,
    tap: tap === null ? null : withResponseId(tap, request, worker.id, exchange),
    onFirstByte() {
      exchange.firstByteAtMs = parts.platform.now()
    },
    onEnd(streamEnd: StreamEnd) {
      lease.release()
      exchange.usage = tap?.usage() ?? null
      closeExchange(parts, exchange, { status, streamEnd, errorCode: null })
    },
  })
  return new Response(stream, { status, headers: answerHeaders(answer, exchange) })
}

function answerHeaders({ response }: Answer, exchange: Exchange): Headers {
  const headers = toClientHeaders(response.headers)
  setRoutingHeaders(headers, exchange)
  adviseOnRetries(headers, exchange, response.status)
  return headers
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
