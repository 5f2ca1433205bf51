// One attempt at one worker, up to its answer's headers. Outcomes are data; nothing here throws for what a worker does.

import type { Timeouts, WorkerConfig } from '../config/config.ts'
import type { HeaderFields, Platform, WorkerAnswer } from '../platform.ts'
import type { LeaseActivity } from '../store/lease-book.ts'
import { type Deadline, startDeadline, type TimeoutKind } from './deadline.ts'

export interface AttemptRequest {
  readonly worker: WorkerConfig
  /** Path and query as the worker gets them, such as `/v1/models?x=1`. */
  readonly target: string
  readonly method: string
  readonly headers: HeaderFields
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  readonly timeouts: Timeouts
  /** Kept up to date with what the worker did lately. */
  readonly activity: LeaseActivity
  /** The caller's signal: when it fires, the worker's request is aborted at once. */
  readonly clientSignal: AbortSignal
  /** Fires when another attempt of the same request has won; null where attempts follow one another. */
  readonly superseded: AbortSignal | null
  /** Called every few seconds while the attempt lives. */
  onTick(): void
}

/** An answer whose body is still to come. The attempt lives until `finish` or `abort`. */
export interface Answer {
  readonly kind: 'answer'
  readonly response: WorkerAnswer
  /** Notes that a byte arrived. */
  touch(): void
  /** Says whether somebody waits for the worker's next byte. */
  setWaiting(isWaiting: boolean): void
  /** Ends watching: the body was read to its end. Idempotent. */
  finish(): void
  /** Ends watching and aborts the worker's request. Idempotent. */
  abort(): void
  /** Why the exchange was cut short from this side; null while it was not. */
  interruption(): Interruption | null
  /** Sets what happens when a time limit passes, or the client leaves, while the body is read. */
  onInterrupt(handler: (cause: Interruption) => void): void
}

export type Interruption =
  | { readonly kind: 'timeout'; readonly limit: TimeoutKind }
  | { readonly kind: 'client_gone' | 'superseded' }

export type AttemptOutcome =
  | Answer
  | { readonly kind: 'timeout'; readonly limit: TimeoutKind }
  | { readonly kind: 'unreachable'; readonly phase: 'not_sent' | 'maybe_sent'; readonly reason: string }
  | { readonly kind: 'aborted' | 'superseded' }

/**
 * Sends one request and waits for headers. The abort goes through a controller of our own that the caller's signal
 * fires: handing the caller's signal to `fetch` does not stop the worker on every runtime and version.
 */
export async function sendAttempt(platform: Platform, request: AttemptRequest): Promise<AttemptOutcome> {
  const { binding } = request.worker
  if (binding !== null && platform.binding(binding) === null) {
    // Deployed without it: nothing was sent, and nothing will be until somebody adds it.
    return { kind: 'unreachable', phase: 'not_sent', reason: 'no_binding' }
  }
  const controller = new AbortController()
  const interruption = watchInterruptions(platform, request, controller)
  try {
    const response = await dispatch(platform, withWatchedBody(request, interruption), controller.signal)
    return toAnswer(response, controller, interruption)
  } catch (error) {
    interruption.stop()
    const cause = interruption.cause()
    if (cause?.kind === 'client_gone') return { kind: 'aborted' }
    if (cause?.kind === 'superseded') return { kind: 'superseded' }
    if (cause?.kind === 'timeout') return { kind: 'timeout', limit: cause.limit }
    const { phase, reason } = platform.classifySendError(error)
    return { kind: 'unreachable', phase, reason }
  }
}

interface InterruptionWatch {
  readonly deadline: Deadline
  cause(): Interruption | null
  /** The caller left, or its body broke off. */
  clientGone(): void
  onInterrupt(handler: (cause: Interruption) => void): void
  stop(): void
}

function watchInterruptions(
  platform: Platform,
  request: AttemptRequest,
  controller: AbortController,
): InterruptionWatch {
  let cause: Interruption | null = null
  let handler: ((cause: Interruption) => void) | null = null

  function interrupt(why: Interruption): void {
    if (cause !== null) return
    cause = why
    stop()
    handler?.(why)
    controller.abort()
  }
  const onClientGone = () => interrupt({ kind: 'client_gone' })
  const onSuperseded = () => interrupt({ kind: 'superseded' })
  const deadline = startDeadline({
    clock: platform,
    timeouts: request.timeouts,
    activity: request.activity,
    onExpire: (limit) => interrupt({ kind: 'timeout', limit }),
    onTick: request.onTick,
  })
  function stop(): void {
    deadline.stop()
    request.clientSignal.removeEventListener('abort', onClientGone)
    request.superseded?.removeEventListener('abort', onSuperseded)
  }
  request.clientSignal.addEventListener('abort', onClientGone)
  request.superseded?.addEventListener('abort', onSuperseded)
  if (request.clientSignal.aborted) interrupt({ kind: 'client_gone' })
  return {
    deadline,
    cause: () => cause,
    clientGone: onClientGone,
    onInterrupt(next) {
      handler = next
      if (cause !== null) next(cause)
    },
    stop,
  }
}

/**
 * A streamed body that breaks aborts the worker's request before it errors: workerd ends the upload of an errored
 * stream as if it were whole, and the worker would take half a file for all of it. Nor is it the worker's failure.
 */
function withWatchedBody(request: AttemptRequest, watch: InterruptionWatch): AttemptRequest {
  if (!(request.body instanceof ReadableStream)) return request
  const reader = request.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(sink) {
        try {
          const { done, value } = await reader.read()
          if (done) sink.close()
          else sink.enqueue(value)
        } catch (error) {
          watch.clientGone()
          throw error
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return { ...request, body }
}

function dispatch(platform: Platform, request: AttemptRequest, signal: AbortSignal): Promise<WorkerAnswer> {
  const { worker, target, method, headers, body, timeouts } = request
  const url = worker.url + target
  if (worker.binding === null) {
    return platform.send(url, { method, headers, body, signal, connectTimeoutMs: timeouts.connectMs })
  }
  const fetcher = platform.binding(worker.binding)
  if (fetcher === null) return Promise.reject(new Error(`no binding named ${worker.binding}`))
  return fetcher.fetch(new Request(url, { method, headers, body, signal, redirect: 'manual' }))
}

function toAnswer(response: WorkerAnswer, controller: AbortController, watch: InterruptionWatch): Answer {
  let isOver = false
  return {
    kind: 'answer',
    response,
    touch: () => watch.deadline.touch(),
    setWaiting: (isWaiting) => watch.deadline.setWaiting(isWaiting),
    finish() {
      isOver = true
      watch.stop()
    },
    abort() {
      if (isOver) return
      isOver = true
      watch.stop()
      controller.abort()
    },
    interruption: watch.cause,
    onInterrupt: watch.onInterrupt,
  }
}
