// What a worker's answer makes of its attempt. One that can still turn out to be no answer, as it may be cut or begin
// with an error, is read as far as that can be told before anything of it reaches the client.

import type { RetryConfig } from '../config/config.ts'
import { createStreamTap } from '../dialect/stream-tap.ts'
import { RouterError } from '../errors/router-error.ts'
import type { WorkerAnswer } from '../platform.ts'
import { openReader } from '../upstream/relay.ts'
import { classifyStatus } from '../upstream/retry.ts'
import { mediaType } from './answer-body.ts'
import { type AnsweredAttempt, type AttemptResult, failed, toFailure, toOutcome } from './attempt-result.ts'
import { waitForFirstEvent } from './gate.ts'
import type { InferenceRequest } from './inference-request.ts'
import { readShort } from './short-answer.ts'

type Eventual<Value> = Value | Promise<Value>

export interface ReadOptions {
  readonly retry: RetryConfig
  /** Whether a stream counts as answered only with its first event. */
  readonly isGated: boolean
}

/** A promise only where something has to be read. */
export function readAnswer(
  answered: AnsweredAttempt,
  request: InferenceRequest,
  { retry, isGated }: ReadOptions,
): Eventual<AttemptResult> {
  const { answer } = answered
  const { status } = answer.response
  const complaint = findComplaint(answer.response, request)
  if (complaint !== null) {
    answer.abort()
    const error = new RouterError('upstream_invalid', complaint)
    return failed({ class: 'failed', error, outcome: 'invalid', reason: error.code, answered: null })
  }
  const failure = classifyStatus(status, retry)
  if (failure !== null) {
    const error = new RouterError('upstream_invalid', `The worker answered with status ${status}.`)
    return failed({ class: failure, error, outcome: 'answered', reason: null, answered })
  }
  if (!isEventStream(answered)) return readShort(answered, request)
  // What was encoded against our wish may be no such thing, and only reading shows that: before the client has a byte.
  const isRead = isGated || answer.response.isDecoded === true
  return isRead ? readToFirstEvent(answered, request, retry) : { answered, failure: null }
}

/** The same for an answer that is a failure and passed on all the same, as nothing else may be tried. */
export function readLastAnswer(answered: AnsweredAttempt, request: InferenceRequest): Eventual<AttemptResult> {
  return isEventStream(answered) ? { answered, failure: null } : readShort(answered, request)
}

function isEventStream({ answer }: AnsweredAttempt): boolean {
  return mediaType(answer.response.headers) === 'text/event-stream'
}

/** What is wrong with an answer that can't be passed on; null when nothing is. */
function findComplaint({ status, headers }: WorkerAnswer, request: InferenceRequest): string | null {
  if (status < 200 || (status >= 300 && status < 400)) {
    return `The worker answered with status ${status}, which is not passed on.`
  }
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    // Plain was asked for; what the runtime can't undo can be read by nobody here, and the client asked for none of it.
    return 'The worker encoded its answer, though it was asked not to.'
  }
  if (request.wantsStream && status < 300 && mediaType(headers) !== 'text/event-stream') {
    // A client library that asked for events shows an empty success when it gets anything else.
    return 'The worker did not answer a stream request with an event stream.'
  }
  return null
}

async function readToFirstEvent(
  answered: AnsweredAttempt,
  request: InferenceRequest,
  retry: RetryConfig,
): Promise<AttemptResult> {
  const { answer, line } = answered
  const reader = openReader(answer.response)
  if (reader === null) return { answered, failure: null }
  const opened = await waitForFirstEvent(answer, reader, createStreamTap(request.streamKind))
  if (opened === null) return endedEarly(answered, request)
  const status = opened.tap.state.openingErrorStatus
  if (status === null) return { answered: { ...answered, opened }, failure: null }
  // vLLM sends its headers before the engine has taken the request, so what would be a status comes as an event.
  line.status = status
  line.reason = 'error_event'
  const failure = classifyStatus(status, retry)
  if (failure === null) return { answered: { ...answered, opened }, failure: null }
  const error = new RouterError('upstream_invalid', `The worker's stream began with an error of status ${status}.`)
  return failed({ class: failure, error, outcome: 'answered', reason: line.reason, answered: { ...answered, opened } })
}

/** A stream that did not get as far as its first event. */
function endedEarly({ answer }: AnsweredAttempt, request: InferenceRequest): AttemptResult {
  const cause = answer.interruption()
  answer.abort()
  if (cause !== null) return failed(toFailure(toOutcome(cause), request.bodyFault()))
  const error = new RouterError('upstream_unreachable', 'The connection to the worker broke before it answered.')
  return failed({ class: 'maybe_sent', error, outcome: 'invalid', reason: 'no_event', answered: null })
}
