// A worker's answer over undici's request API: without the `Response` that its fetch builds for each, which costs more
// than everything the router does.

import { pipeline, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'
import type { WorkerAnswer } from '../platform.ts'

/** What can be undone here, by the names it goes by (RFC 9110, 8.4.1). */
const DECODERS = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/** The answer, decoded where the worker encoded it although it was asked not to; what can't be undone stays as it is. */
export function toWorkerAnswer({ statusCode, headers: incoming, body }: Dispatcher.ResponseData): WorkerAnswer {
  const headers = toHeaders(incoming)
  const createDecoder = DECODERS.get(headers.get('content-encoding')?.toLowerCase() ?? '')
  if (createDecoder === undefined) return new ReadableAnswer(statusCode, headers, { body, isDecoded: false })
  headers.delete('content-encoding')
  headers.delete('content-length')
  // Whoever reads the decoded stream meets an error of either; there is nothing to add here.
  const decoded = pipeline(body, createDecoder(), () => {})
  return new ReadableAnswer(statusCode, headers, { body: decoded, isDecoded: true })
}

class ReadableAnswer implements WorkerAnswer {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  readonly isDecoded: boolean
  readonly #body: Readable

  constructor(status: number, headers: Headers, { body, isDecoded }: { body: Readable; isDecoded: boolean }) {
    this.status = status
    this.ok = status >= 200 && status < 300
    this.headers = headers
    this.isDecoded = isDecoded
    this.#body = body
  }

  get body(): ReadableStream<Uint8Array> {
    // Node's declaration of the web stream and the standard's name the same thing apart.
    return Readable.toWeb(this.#body) as unknown as ReadableStream<Uint8Array>
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = await this.#read()
    return buffer.slice(byteOffset, byteOffset + byteLength)
  }

  async text(): Promise<string> {
    return (await this.#read()).toString('utf8')
  }

  async #read(): Promise<Buffer<ArrayBuffer>> {
    const chunks: Buffer[] = []
    for await (const chunk of this.#body) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
}

function toHeaders(incoming: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  return headers
}
