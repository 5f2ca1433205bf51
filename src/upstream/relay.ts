// The body of an answer on its way to the client: chunk by chunk as it comes, at the client's pace, with an error frame
// when the worker's stream ends wrongly.

import type { ErrorCodeName } from '../errors/codes.ts'
import type { ByteReader, ReadChunk, WorkerAnswer } from '../platform.ts'
import type { Answer, Interruption } from './send.ts'

/** How an exchange ended, as the record says it. */
export type StreamEnd = 'complete' | 'truncated' | 'client_aborted' | 'upstream_error' | 'timeout'

type TapOutcome = 'complete' | 'truncated' | 'error_reported'

/** Reads a stream's events as they pass; a dialect provides it. Null bytes mean that nothing can be passed on yet. */
export interface BodyTap {
  push(chunk: Uint8Array): Uint8Array | null
  /** The source has ended; also tells the outcome after `fail`. */
  end(): { readonly bytes: Uint8Array | null; readonly outcome: TapOutcome }
  /** The source broke: an error frame, or null when the stream had ended, or reported an error, before. */
  fail(message: string, code: ErrorCodeName): Uint8Array | null
}

export interface RelayOptions {
  readonly answer: Answer
  readonly reader: ByteReader
  /** Bytes that were read and let through before the relay began; null for none. */
  readonly head: Uint8Array | null
  /** Null for a body that is no event stream: it is passed as it is, and a cut breaks the client's connection. */
  readonly tap: BodyTap | null
  /** Called for the first bytes that reach the client's stream. */
  onFirstByte(): void
  /** Sees all bytes that do; null where nobody looks. */
  readonly onBytes: ((bytes: Uint8Array) => void) | null
  /** Called once, however the body ends. */
  onEnd(end: StreamEnd): void
}

/**
 * A stream that reads the worker only when the client reads, so back-pressure reaches the worker. It is no
 * TransformStream and no `tee`: on workerd those keep the worker's request alive after the client has left.
 */
export function relayBody(options: RelayOptions): ReadableStream<Uint8Array> {
  const relay = new Relay(options)
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => relay.start(controller),
      pull: (controller) => relay.pull(controller),
      cancel: () => relay.cancel(),
    },
    { highWaterMark: 0 },
  )
}

/** A reader of an answer's body; null when it has none. */
export function openReader(answer: WorkerAnswer): ByteReader | null {
  return answer.openReader?.() ?? answer.body?.getReader() ?? null
}

type Controller = ReadableStreamDefaultController<Uint8Array>

class Relay {
  readonly #options: RelayOptions
  #head: Uint8Array | null
  #isOver = false
  #hasPassed = false
  /** What becomes of a read; made once, at the first. */
  #onChunk: ((chunk: ReadChunk) => Promise<void> | undefined) | null = null
  #onBreak: (() => void) | null = null

  constructor(options: RelayOptions) {
    this.#options = options
    this.#head = options.head
  }

  start(controller: Controller): void {
    this.#options.answer.onInterrupt((cause) => this.#interrupted(controller, cause))
  }

  /** One promise for a chunk, the reader's own: async functions would add two and a closure, which on streams is felt. */
  pull(controller: Controller): Promise<void> | undefined {
    const head = this.#head
    if (this.#isOver) return undefined
    if (head !== null) {
      this.#head = null
      this.#pass(controller, head)
      this.#options.answer.setWaiting(false)
      return undefined
    }
    this.#options.answer.setWaiting(true)
    return this.#readNext(controller)
  }

  #readNext(controller: Controller): Promise<void> {
    this.#onChunk ??= (chunk) => this.#arrived(controller, chunk)
    // Why it broke doesn't matter to the client; an interruption from our side has ended the relay before this.
    this.#onBreak ??= () => this.#breakOff(controller, 'truncated')
    return this.#options.reader.read().then(this.#onChunk, this.#onBreak)
  }

  #arrived(controller: Controller, { done, value }: ReadChunk): Promise<void> | undefined {
    if (done || value === undefined) {
      this.#finish(controller)
      return undefined
    }
    if (this.#isOver) return undefined
    const { answer, tap } = this.#options
    answer.touch()
    const bytes = tap === null ? value : tap.push(value)
    if (bytes === null || bytes.length === 0) return this.#readNext(controller)
    this.#pass(controller, bytes)
    answer.setWaiting(false)
    return undefined
  }

  cancel(): void {
    this.#options.answer.abort()
    this.#over(this.#endOfLeaving())
  }

  #finish(controller: Controller): void {
    if (this.#isOver) return
    const { bytes, outcome } = this.#options.tap?.end() ?? { bytes: null, outcome: 'complete' }
    this.#close(controller, bytes)
    this.#over(END_BY_OUTCOME[outcome])
  }

  /** The worker's stream broke, or took too long: say so in band where the client can read it, else break off. */
  #breakOff(controller: Controller, end: 'truncated' | 'timeout'): void {
    if (this.#isOver) return
    const { tap } = this.#options
    const { code, message } = COMPLAINTS[end]
    if (tap === null) {
      this.#over(end)
      controller.error(new Error(message))
      return
    }
    const frame = tap.fail(message, code)
    this.#close(controller, frame)
    // No frame is owed to a stream that had ended, or had reported its own error, before it broke.
    this.#over(frame === null ? END_BY_OUTCOME[tap.end().outcome] : end)
  }

  #interrupted(controller: Controller, cause: Interruption): void {
    if (cause.kind === 'timeout') return this.#breakOff(controller, 'timeout')
    if (!this.#over(this.#endOfLeaving())) return
    // Not at once: a server that is about to cancel the stream, in this very event, prints what it finds broken instead.
    queueMicrotask(() => controller.error(new Error('the client closed the connection')))
  }

  /** A client that leaves after the terminator has all it came for: some libraries hang up as soon as they read it. */
  #endOfLeaving(): StreamEnd {
    const { tap } = this.#options
    const { code, message } = COMPLAINTS.truncated
    const isShort = tap === null || tap.fail(message, code) !== null
    return isShort ? 'client_aborted' : END_BY_OUTCOME[tap.end().outcome]
  }

  #pass(controller: Controller, bytes: Uint8Array): void {
    if (!this.#hasPassed) {
      this.#hasPassed = true
      this.#options.onFirstByte()
    }
    this.#options.onBytes?.(bytes)
    controller.enqueue(bytes)
  }

  #close(controller: Controller, lastBytes: Uint8Array | null): void {
    if (lastBytes !== null && lastBytes.length > 0) this.#pass(controller, lastBytes)
    controller.close()
  }

  /** Returns true the first time. */
  #over(end: StreamEnd): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    const { answer, onEnd } = this.#options
    if (end === 'complete') answer.finish()
    else answer.abort()
    onEnd(end)
    return true
  }
}

const END_BY_OUTCOME = {
  complete: 'complete',
  truncated: 'truncated',
  error_reported: 'upstream_error',
} as const satisfies Record<TapOutcome, StreamEnd>

const COMPLAINTS = {
  truncated: {
    code: 'upstream_truncated',
    message: 'The worker ended the stream before the answer was complete.',
  },
  timeout: {
    code: 'upstream_timeout',
    message: 'The worker took too long to go on; the answer is incomplete.',
  },
} as const satisfies Record<string, { code: ErrorCodeName; message: string }>
