// The body of an answer on its way to the client: chunk by chunk as it comes, at the client's pace, with an error frame
// when the worker's stream ends wrongly.

import type { Answer, Interruption } from './send.ts'

/** How an exchange ended, as the record says it. */
export type StreamEnd = 'complete' | 'truncated' | 'client_aborted' | 'upstream_error' | 'timeout'

/** Reads a stream's events as they pass; a dialect provides it. Null bytes mean that nothing can be passed on yet. */
export interface BodyTap {
  push(chunk: Uint8Array): Uint8Array | null
  end(): { readonly bytes: Uint8Array | null; readonly outcome: 'complete' | 'truncated' | 'error_reported' }
  fail(message: string): Uint8Array | null
}

export interface RelayOptions {
  readonly answer: Answer
  readonly source: ReadableStream<Uint8Array>
  /** Null for a body that is no event stream: it is passed as it is, and a cut breaks the client's connection. */
  readonly tap: BodyTap | null
  /** Called for the first bytes that reach the client's stream. */
  onFirstByte(): void
  /** Called once, however the body ends. */
  onEnd(end: StreamEnd): void
}

type Controller = ReadableStreamDefaultController<Uint8Array>

/**
 * A stream that reads the worker only when the client reads, so back-pressure reaches the worker. It is no
 * TransformStream and no `tee`: on workerd those keep the worker's request alive after the client has left.
 */
export function relayBody(options: RelayOptions): ReadableStream<Uint8Array> {
  const { answer, tap } = options
  const reader = options.source.getReader()
  let isOver = false
  let hasPassed = false

  function over(end: StreamEnd): boolean {
    if (isOver) return false
    isOver = true
    if (end === 'complete') answer.finish()
    else answer.abort()
    options.onEnd(end)
    return true
  }

  function pass(controller: Controller, bytes: Uint8Array): void {
    if (!hasPassed) {
      hasPassed = true
      options.onFirstByte()
    }
    controller.enqueue(bytes)
  }

  function close(controller: Controller, lastBytes: Uint8Array | null): void {
    if (lastBytes !== null && lastBytes.length > 0) pass(controller, lastBytes)
    controller.close()
  }

  function finish(controller: Controller): void {
    if (isOver) return
    const last = tap?.end() ?? { bytes: null, outcome: 'complete' as const }
    close(controller, last.bytes)
    over(END_BY_OUTCOME[last.outcome])
  }

  /** The worker's stream broke, or took too long: say so in band where the client can read it, else break off. */
  function breakOff(controller: Controller, end: StreamEnd, message: string): void {
    if (isOver) return
    if (tap === null) {
      over(end)
      controller.error(new Error(message))
      return
    }
    const frame = tap.fail(message)
    // No frame is owed when the terminator had already passed: the caller has the whole answer.
    close(controller, frame)
    over(frame === null ? 'complete' : end)
  }

  function interrupted(controller: Controller, cause: Interruption): void {
    if (cause.kind === 'timeout') return breakOff(controller, 'timeout', timeoutMessage(cause.limit))
    if (over('client_aborted')) controller.error(new Error('the client closed the connection'))
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        answer.onInterrupt((cause) => interrupted(controller, cause))
      },
      async pull(controller) {
        while (!isOver) {
          let chunk: Awaited<ReturnType<typeof reader.read>>
          try {
            chunk = await reader.read()
          } catch {
            return breakOff(controller, 'truncated', 'The worker closed the stream before it was complete.')
          }
          if (chunk.done) return finish(controller)
          if (isOver) return
          answer.touch()
          const bytes = tap === null ? chunk.value : tap.push(chunk.value)
          if (bytes !== null && bytes.length > 0) return pass(controller, bytes)
        }
      },
      cancel() {
        over('client_aborted')
      },
    },
    { highWaterMark: 0 },
  )
}

const END_BY_OUTCOME = {
  complete: 'complete',
  truncated: 'truncated',
  error_reported: 'upstream_error',
} as const satisfies Record<string, StreamEnd>

function timeoutMessage(limit: string): string {
  return limit === 'idle'
    ? 'The worker sent nothing for longer than the idle timeout; the answer is incomplete.'
    : `The worker took longer than the ${limit} timeout; the answer is incomplete.`
}
