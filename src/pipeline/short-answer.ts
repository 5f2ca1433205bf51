// Short answers are read whole inside their attempt, so that one cut short is a failed attempt, not half a JSON
// document. Longer ones stream.

import { joinBytes } from '../dialect/join-bytes.ts'
import { RouterError } from '../errors/router-error.ts'
import { answerLength } from '../upstream/headers.ts'
import { openReader } from '../upstream/relay.ts'
import { isJson, looksLikeWholeJson } from './answer-body.ts'
import { type AnsweredAttempt, type AttemptResult, failed, toFailure, toOutcome } from './attempt-result.ts'
import type { InferenceRequest } from './inference-request.ts'
import { noteBody } from './outcome.ts'

/** Answers up to this size are read whole before they are passed on. */
const MAX_READ_WHOLE_BYTES = 256 * 1024

/** Statuses whose answers have no body by definition (RFC 9110). */
export const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])

/** The attempt with its answer read, where it is short; a failure when the answer is not all there. */
export function readShort(
  answered: AnsweredAttempt,
  request: InferenceRequest,
): AttemptResult | Promise<AttemptResult> {
  const { headers, status } = answered.answer.response
  const length = BODILESS_STATUSES.has(status) ? 0 : answerLength(headers)
  if (length !== null) {
    return length <= MAX_READ_WHOLE_BYTES ? readWhole(answered, request, length) : { answered, failure: null }
  }
  // Nobody can use JSON before its end. Of passed-through paths and other types that isn't known, so they stream.
  return request.needsModel && isJson(headers) ? readUpToLimit(answered, request) : { answered, failure: null }
}

async function readWhole(answered: AnsweredAttempt, request: InferenceRequest, length: number): Promise<AttemptResult> {
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = new Uint8Array(await answered.answer.response.arrayBuffer())
  } catch {
    return brokenOff(answered, request)
  }
  return judge(answered, bytes, length)
}

/** Of an answer of unknown length; one that turns out to be long goes on as it began. */
async function readUpToLimit(answered: AnsweredAttempt, request: InferenceRequest): Promise<AttemptResult> {
  const { answer } = answered
  const reader = openReader(answer.response)
  if (reader === null) return { answered, failure: null }
  const chunks: Uint8Array[] = []
  let size = 0
  // Not every runtime fails a pending read when the request is aborted, so the interruption is waited for as well.
  const interrupted = new Promise<null>((resolve) => answer.onInterrupt(() => resolve(null)))
  try {
    while (size <= MAX_READ_WHOLE_BYTES) {
      const chunk = await Promise.race([reader.read(), interrupted])
      if (chunk === null) return brokenOff(answered, request)
      if (chunk.done || chunk.value === undefined) return judge(answered, joinBytes(chunks), null)
      answer.touch()
      chunks.push(chunk.value)
      size += chunk.value.length
    }
  } catch {
    return brokenOff(answered, request)
  }
  const opened = { reader, tap: null, head: joinBytes(chunks) }
  return { answered: { ...answered, opened }, failure: null }
}

function judge(answered: AnsweredAttempt, whole: Uint8Array<ArrayBuffer>, length: number | null): AttemptResult {
  const { ok, headers } = answered.answer.response
  const isJsonCut = ok && isJson(headers) && !looksLikeWholeJson(whole)
  const isShort = length !== null && whole.length < length
  if (!isJsonCut && !isShort) return { answered: { ...answered, whole }, failure: null }
  noteBody(answered.lease, 'truncated', answered.answer)
  answered.answer.abort()
  // Without a length a cut can look like a clean end (workerd#6818).
  if (isShort || length === null) return cut()
  const error = new RouterError('upstream_invalid', 'The worker sent an incomplete answer.')
  return failed({ class: 'failed', error, outcome: 'invalid', reason: error.code, answered: null })
}

/** The read failed: the time was up, the client left, another attempt won, or the worker broke off. */
function brokenOff({ answer, lease }: AnsweredAttempt, request: InferenceRequest): AttemptResult {
  const cause = answer.interruption()
  if (cause === null) noteBody(lease, 'truncated', answer)
  answer.abort()
  return cause === null ? cut() : failed(toFailure(toOutcome(cause), request.bodyFault()))
}

function cut(): AttemptResult {
  const error = new RouterError('upstream_invalid', 'The worker broke off in the middle of its answer.')
  return failed({ class: 'maybe_sent', error, outcome: 'invalid', reason: 'truncated', answered: null })
}
