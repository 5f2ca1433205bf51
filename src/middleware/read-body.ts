// Reads a request's body within its limit: refused before it is read whole, whether its length is stated or not.

import { maxBodyBytes, type RouterParts } from '../pipeline/router-parts.ts'
import { RouterError } from '../errors/router-error.ts'

/** Throws `body_too_large` when the stated length alone is too much. */
export function checkStatedLength(headers: Headers, maxBytes: number): void {
  const stated = headers.get('content-length')
  if (stated !== null && Number(stated) > maxBytes) throw tooLarge(maxBytes)
}

/** Throws `body_too_large` for a body that is there already. */
export function checkLength(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw tooLarge(maxBytes)
}

/** What the client says its body's length is; null when it does not, or there is none. Servers hold it to that. */
export function statedLength(headers: Headers): number | null {
  const stated = headers.get('content-length')
  return stated !== null && /^\d{1,15}$/.test(stated) ? Number(stated) : null
}

/** Throws `unsupported_media_type` for a compressed body: what it unpacks to could not be bounded by its length. */
export function checkContentEncoding(headers: Headers): void {
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.trim() !== '' && encoding.trim().toLowerCase() !== 'identity') {
    throw new RouterError('unsupported_media_type', 'Compressed request bodies are not taken; send the body plain.')
  }
}

/** The whole body, at most `maxBytes` of it. Throws `body_too_large`, `request_timeout`, or `client_closed_request`. */
export async function readBody(
  parts: RouterParts,
  request: Request,
  maxBytes: number = maxBodyBytes(parts),
): Promise<Uint8Array<ArrayBuffer>> {
  checkStatedLength(request.headers, maxBytes)
  // A stated length is enforced by every HTTP server, and the runtime's own reading is far faster than chunk by chunk.
  const isLengthStated = request.headers.has('content-length')
  // With a stated length `body` is not even looked at: on Node that alone would build a whole stream.
  if (!isLengthStated && request.body === null) return new Uint8Array(0)
  try {
    const read = isLengthStated ? request.arrayBuffer() : readChunks(request, maxBytes)
    return new Uint8Array(await inTime(parts, read))
  } catch (cause) {
    if (cause instanceof RouterError) throw cause
    throw new RouterError('client_closed_request', 'The request body broke off.', { cause })
  }
}

/** A client that drips bytes must not hold a place for ever. */
function inTime({ config, platform }: RouterParts, read: Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  const { requestBodyMs } = config
  if (requestBodyMs === null) return read
  return new Promise((resolve, reject) => {
    const callOff = platform.after(requestBodyMs, () =>
      reject(new RouterError('request_timeout', 'The request body took too long to arrive.')),
    )
    read.then(
      (bytes) => {
        callOff()
        return resolve(bytes)
      },
      (cause: unknown) => {
        callOff()
        return reject(cause)
      },
    )
  })
}

async function readChunks(request: Request, maxBytes: number): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (next === undefined || next.done) break
    size += next.value.length
    if (size > maxBytes) {
      // Not awaited: a client that goes on sending must not delay its refusal.
      void reader?.cancel().catch(() => {})
      throw tooLarge(maxBytes)
    }
    chunks.push(next.value)
  }
  return concatenate(chunks, size)
}

function concatenate(chunks: readonly Uint8Array[], size: number): ArrayBuffer {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole.buffer
}

function tooLarge(maxBytes: number): RouterError {
  return new RouterError('body_too_large', `The request body is larger than the ${maxBytes} bytes allowed.`)
}
