// Answers as the worker meant them: fetches differ in which encodings they undo, and those that do keep the header, so
// that nobody downstream could tell what the body is.

import type { WorkerAnswer } from '../platform.ts'

/** What `DecompressionStream` can undo on every runtime, by the names it goes by (RFC 9110, 8.4.1). */
const FORMATS = new Map<string, 'gzip' | 'deflate'>([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
])

/**
 * The answer decoded, and then without `content-encoding`. `undone` matches what this runtime's fetch has decoded by
 * itself. An encoding that nobody here can undo stays, body and header alike.
 */
export function toDecoded(response: Response, undone: RegExp | null): Response & Pick<WorkerAnswer, 'isDecoded'> {
  const encoding = response.headers.get('content-encoding')
  if (encoding === null || response.body === null) return response
  const isUndone = undone?.test(encoding) === true
  const format = FORMATS.get(encoding.toLowerCase())
  if (!isUndone && format === undefined) return response
  const headers = new Headers(response.headers)
  headers.delete('content-encoding')
  headers.delete('content-length')
  const body = isUndone || format === undefined ? response.body : decode(response.body, format)
  return Object.assign(new Response(body, { status: response.status, headers }), { isDecoded: true })
}

function decode(body: ReadableStream<Uint8Array>, format: 'gzip' | 'deflate'): ReadableStream<Uint8Array> {
  // Declared for any BufferSource on its way in; what comes out are bytes.
  return body.pipeThrough(new DecompressionStream(format) as unknown as TransformStream<Uint8Array, Uint8Array>)
}
