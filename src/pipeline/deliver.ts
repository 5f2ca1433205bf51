// A worker's answer on its way to the client: whole where it was read, else as a stream, and the bookkeeping at its end
// (lease back, usage, record).

import { createStreamTap, type StreamTap } from '../dialect/stream-tap.ts'
import { readUsage } from '../dialect/usage.ts'
import type { HeaderFields, WorkerAnswer } from '../platform.ts'
import { toClientHeaders } from '../upstream/headers.ts'
import { openReader, relayBody, type BodyTap, type StreamEnd } from '../upstream/relay.ts'
import type { Answer } from '../upstream/send.ts'
import { isJson, mediaType, readResponseId, tailOf } from './answer-body.ts'
import { watchUsage } from './answer-usage.ts'
import { noteChoice } from './attempt.ts'
import { type AnsweredAttempt, dropAnswer, type OpenedBody } from './attempt-result.ts'
import { closeExchange } from './close.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import { noteBody } from './outcome.ts'
import { adviseOnRetries } from './retry-advice.ts'
import type { RouterParts } from './router-parts.ts'
import { setRoutingHeaders } from './routing-headers.ts'
import { BODILESS_STATUSES } from './short-answer.ts'

/** Turns the worker's answer into the client's. A promise only where something is to be remembered before. */
export function deliver(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  answered: AnsweredAttempt,
): Response | Promise<Response> {
  noteChoice(exchange, answered)
  try {
    const opened = answered.whole === null ? (answered.opened ?? openBody(request, answered)) : null
    if (opened !== null) return deliverStream(parts, exchange, request, { ...answered, opened })
    const remembered = endWhole(exchange, request, answered)
    if (remembered === null) return deliverWhole(parts, exchange, request, answered)
    return remembered.then(() => deliverWhole(parts, exchange, request, answered))
  } catch (error) {
    dropAnswer(answered)
    throw error
  }
}

/** The worker has done its part. Resolves when it is known who holds the response that it stored; null for none. */
function endWhole(
  exchange: Exchange,
  request: InferenceRequest,
  { answer, lease, worker, whole }: AnsweredAttempt,
): Promise<void> | null {
  noteBody(lease, 'complete', answer)
  answer.finish()
  lease.release()
  const { response } = answer
  if (whole === null || !response.ok || !isJson(response.headers)) return null
  // Long fields may follow the counts where a caller asks for them; that must not keep a limit from counting.
  exchange.usage = readUsage(tailOf(whole)) ?? (exchange.tokenEstimate === null ? null : readUsage(whole))
  const responseId = request.onResponseId === null ? null : readResponseId(whole)
  return responseId === null ? null : (request.onResponseId?.(responseId, worker.id) ?? null)
}

function deliverWhole(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { answer, whole, held }: AnsweredAttempt,
): Response {
  const { response } = answer
  const { status } = response
  const bytes = whole ?? new Uint8Array(0)
  held?.noteAnswer(exchange.usage)
  exchange.replay?.openAnswer(response.headers.get('content-type'), request.streamKind)?.push(bytes)
  keepWhole(exchange, response, bytes)
  closeExchange(parts, exchange, { status, streamEnd: 'complete', errorCode: null })
  return new Response(BODILESS_STATUSES.has(status) ? null : bytes, {
    status,
    headers: answerHeaders(answer, exchange),
  })
}

/** What may be kept of it is, before whoever waits for it is told that there is nothing. */
function keepWhole(exchange: Exchange, { status, headers }: WorkerAnswer, bytes: Uint8Array): void {
  const keeper = exchange.cache?.keeper ?? null
  keeper?.open({ status, headers, model: exchange.model })
  keeper?.push(bytes)
  keeper?.end('complete')
}

/** A body that nothing was read of; null when the answer has none. */
function openBody(request: InferenceRequest, { answer }: AnsweredAttempt): Relayed | null {
  const reader = openReader(answer.response)
  if (reader === null) return null
  const isEventStream = mediaType(answer.response.headers) === 'text/event-stream'
  return { reader, tap: isEventStream ? createStreamTap(request.streamKind) : null, head: null }
}

type Relayed = Pick<OpenedBody, 'reader' | 'tap'> & { readonly head: Uint8Array | null }

function deliverStream(
  parts: RouterParts,
  exchange: Exchange,
  request: InferenceRequest,
  { answer, lease, worker, opened, held }: Omit<AnsweredAttempt, 'opened'> & { readonly opened: Relayed },
): Response {
  const { status, headers } = answer.response
  const { tap, head } = opened
  const keeper = exchange.cache?.keeper ?? null
  keeper?.open({ status, headers, model: exchange.model })
  const captured = exchange.replay?.openAnswer(answer.response.headers.get('content-type'), request.streamKind) ?? null
  const isCounted = tap === null && isJson(answer.response.headers)
  const searchesAll = exchange.tokenEstimate !== null
  const watched = isCounted ? watchUsage(opened.reader, { head, searchesAll }) : null
  const stream = relayBody({
    answer,
    reader: watched?.reader ?? opened.reader,
    head,
    tap: tap === null ? null : withResponseId(tap, request, worker.id, exchange),
    onFirstByte() {
      exchange.firstByteAtMs = parts.platform.now()
      held?.noteFirstByte(exchange.firstByteAtMs)
    },
    onBytes: watchers([captured, keeper, tap && watchFirstToken(exchange, tap, parts.platform.now)]),
    onEnd(streamEnd: StreamEnd) {
      noteBody(lease, streamEnd, answer)
      lease.release()
      exchange.usage = tap?.usage() ?? watched?.usage() ?? null
      held?.noteAnswer(exchange.usage)
      keeper?.end(streamEnd)
      if (tap !== null) exchange.streamed = { events: tap.state.events, isComplete: streamEnd === 'complete' }
      closeExchange(parts, exchange, { status, streamEnd, errorCode: null })
    },
  })
  return new Response(stream, { status, headers: answerHeaders(answer, exchange) })
}

interface Watcher {
  push(bytes: Uint8Array): void
}

/** Null where nobody looks. */
function watchers(all: readonly (Watcher | null)[]): ((bytes: Uint8Array) => void) | null {
  const those = all.filter((watcher) => watcher !== null)
  if (those.length === 0) return null
  return (bytes) => {
    for (const watcher of those) watcher.push(bytes)
  }
}

/** Notes when the first token goes on to the client; null for a request that leaves no spans. */
function watchFirstToken(exchange: Exchange, tap: StreamTap, now: () => number): Watcher | null {
  if (exchange.tracing?.isRecorded !== true) return null
  return {
    push() {
      if (tap.state.tokenSeen) exchange.firstTokenAtMs ??= now()
    },
  }
}

function answerHeaders({ response }: Answer, exchange: Exchange): HeaderFields {
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
