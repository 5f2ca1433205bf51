// A worker's answer over undici's request API: without the `Response` and the `Headers` that its fetch builds for each,
// which cost more than everything the router does.

import { pipeline, Readable } from 'node:stream'
import { arrayBuffer, text } from 'node:stream/consumers'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'
import type { AnswerHeaders, WorkerAnswer } from '../platform.ts'

/** What can be undone here, by the names it goes by (RFC 9110, 8.4.1). */
const DECODERS = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/** The answer, decoded where the worker encoded it although it was asked not to; what can't be undone stays as it is. */
export function toWorkerAnswer({ statusCode, headers: incoming, body }: Dispatcher.ResponseData): WorkerAnswer {
  const headers = new ReadHeaders(incoming)
  const createDecoder = DECODERS.get(headers.get('content-encoding')?.toLowerCase() ?? '')
  if (createDecoder === undefined) {
    return new ReadableAnswer(statusCode, headers, { body, whole: body, isDecoded: false })
  }
  const { 'content-encoding': _encoding, 'content-length': _length, ...rest } = incoming
  // Whoever reads the decoded stream meets an error of either. One that nobody reads, as its status is reason enough to try
  // elsewhere, is listened to all the same: `pipeline` may have stopped by then, and what nobody hears ends the process.
  const decoded = pipeline(body, createDecoder(), () => {}).on('error', () => {})
  const whole = { arrayBuffer: () => arrayBuffer(decoded), text: () => text(decoded) }
  return new ReadableAnswer(statusCode, new ReadHeaders(rest), { body: decoded, whole, isDecoded: true })
}

interface AnswerBody {
  readonly body: Readable
  /** Reads it whole: undici's own way of that takes what is there at once, without an iterator. */
  readonly whole: Pick<WorkerAnswer, 'arrayBuffer' | 'text'>
  readonly isDecoded: boolean
}

class ReadableAnswer implements WorkerAnswer {
  readonly status: number
  readonly ok: boolean
  readonly headers: AnswerHeaders
  readonly isDecoded: boolean
  readonly #body: Readable
  readonly #whole: AnswerBody['whole']

  constructor(status: number, headers: AnswerHeaders, { body, whole, isDecoded }: AnswerBody) {
    this.status = status
    this.ok = status >= 200 && status < 300
    this.headers = headers
    this.isDecoded = isDecoded
    this.#body = body
    this.#whole = whole
  }

  get body(): ReadableStream<Uint8Array> {
    // Node's declaration of the web stream and the standard's name the same thing apart.
    return Readable.toWeb(this.#body) as unknown as ReadableStream<Uint8Array>
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#whole.arrayBuffer()
  }

  text(): Promise<string> {
    return this.#whole.text()
  }
}

/** Headers as undici has read them, with names in lower case. */
class ReadHeaders implements AnswerHeaders {
  readonly #incoming: Dispatcher.ResponseData['headers']

  constructor(incoming: Dispatcher.ResponseData['headers']) {
    this.#incoming = incoming
  }

  get(name: string): string | null {
    const value = Object.hasOwn(this.#incoming, name) ? this.#incoming[name] : undefined
    // Undici leaves on what white space stood behind a value.
    if (Array.isArray(value)) return value.map((one) => one.trim()).join(', ')
    return value?.trim() ?? null
  }
}
