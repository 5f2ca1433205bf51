// A client on a bare socket, for requests no HTTP library would send, and for a client that stops in the middle of one.

import { connect } from 'node:net'

export interface RawReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  json(): unknown
}

export interface RawOptions {
  /** Rejects when no whole answer has come by then. */
  readonly limitMs?: number
  /** Ends this side of the connection after the request's bytes. */
  readonly endsWriting?: boolean
}

/**
 * Sends bytes as they are (text as Latin-1, one byte a character) and resolves with the first whole answer. The
 * connection is closed then, whatever of the request is still to come.
 */
export function sendRaw(url: string, request: string | Uint8Array, options: RawOptions = {}): Promise<RawReply> {
  const { limitMs = 8_000, endsWriting = false } = options
  const { hostname, port } = new URL(url)
  const bytes = typeof request === 'string' ? Buffer.from(request, 'latin1') : request
  const isHead = Buffer.from(bytes.subarray(0, 5)).toString('latin1') === 'HEAD '
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let received = Buffer.alloc(0)
    const timer = setTimeout(() => finish(null, `no whole answer in ${limitMs} ms`), limitMs)
    function finish(reply: RawReply | null, complaint: string): void {
      clearTimeout(timer)
      socket.destroy()
      if (reply === null) reject(new Error(`${complaint}; received: ${received.toString('latin1').slice(0, 400)}`))
      else resolve(reply)
    }
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece])
      const reply = parseReply(received, isHead, false)
      if (reply !== null) finish(reply, '')
    })
    socket.on('end', () => finish(parseReply(received, isHead, true), 'the connection ended'))
    // A server that refuses a request it has not read whole may reset the connection once its answer is out.
    socket.on('error', (error) => finish(parseReply(received, isHead, true), error.message))
    socket.write(bytes)
    if (endsWriting) socket.end()
  })
}

/** A request's head and body as text; `Connection: close` unless the headers say otherwise. */
export function rawRequest(line: string, headers: readonly string[], body = ''): string {
  const all = headers.some((header) => /^host:/i.test(header)) ? headers : ['Host: router.test', ...headers]
  return `${line} HTTP/1.1\r\n${[...all, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`
}

function parseReply(received: Buffer, isHead: boolean, isEnded: boolean): RawReply | null {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const rest = received.subarray(headEnd + 4)
  if (status < 200) return parseReply(rest, isHead, isEnded)
  const headers = new Headers()
  for (const line of lines) headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim())
  const body = isHead || status === 204 ? Buffer.alloc(0) : bodyOf(rest, headers, isEnded)
  if (body === null) return null
  const text = body.toString()
  return { status, headers, text, json: () => JSON.parse(text) }
}

function bodyOf(rest: Buffer, headers: Headers, isEnded: boolean): Buffer | null {
  if (headers.get('transfer-encoding') === 'chunked') return unchunk(rest) ?? (isEnded ? rest : null)
  const length = headers.get('content-length')
  if (length === null) return isEnded ? rest : null
  return rest.length >= Number(length) || isEnded ? rest.subarray(0, Number(length)) : null
}

function unchunk(rest: Buffer): Buffer | null {
  const pieces: Buffer[] = []
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd === -1) return null
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16)
    if (size === 0) return Buffer.concat(pieces)
    if (rest.length < lineEnd + 2 + size) return null
    pieces.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
