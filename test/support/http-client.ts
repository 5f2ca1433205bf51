// A client on node:http that shows what a library hides: when bytes arrive, whether a body was cut, and how it feels
// when a client stops reading or walks away.

import { type Agent, type IncomingMessage, request as httpRequest } from 'node:http'

/** An answer whose body is read piece by piece. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The next piece as it came; null at the end. Rejects when the connection breaks before the end. */
  next(): Promise<Buffer | null>
  /** Everything that is left. */
  rest(): Promise<Buffer>
  /** Reads on until what has been read holds `text`; resolves with what was read. */
  until(text: string): Promise<string>
}

export interface Sent {
  /** Settles with the answer's headers. */
  readonly reply: Promise<Reply>
  /** Ends the connection, whatever is under way: `close` as a program that has finished, `reset` as one that died. */
  leave(how?: 'close' | 'reset'): void
}

export interface SendOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
}

/** Sends a request: an object as JSON, anything else as it is. */
export function send(url: string, body: object | string | Buffer | null, options: SendOptions = {}): Sent {
  const bytes =
    body === null ? null : typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : JSON.stringify(body)
  const method = options.method ?? (bytes === null ? 'GET' : 'POST')
  const headers: Record<string, string> = { 'content-type': 'application/json', ...options.headers }
  // Bun closes such a connection without saying so in the answer, and Node's agent would use it again.
  const agent = headers['connection'] === 'close' ? false : options.agent
  const request = httpRequest(url, { method, headers, ...(agent === undefined ? {} : { agent }) })
  const reply = new Promise<Reply>((resolve, reject) => {
    request.once('response', (message) => resolve(toReply(message)))
    request.on('error', reject)
  })
  // Whoever leaves has no interest in how the request failed.
  reply.catch(() => {})
  request.end(bytes ?? undefined)
  return {
    reply,
    leave(how = 'close') {
      if (how === 'reset') request.socket?.resetAndDestroy()
      request.destroy()
    },
  }
}

/** An answer read whole. */
export interface WholeReply {
  readonly status: number
  readonly headers: Reply['headers']
  readonly bytes: Buffer
  readonly text: string
}

/** Sends a request and reads the whole answer. */
export async function fetchWhole(
  url: string,
  body: object | string | Buffer | null,
  options: SendOptions = {},
): Promise<WholeReply> {
  const reply = await send(url, body, options).reply
  const bytes = await reply.rest()
  return { status: reply.status, headers: reply.headers, bytes, text: bytes.toString() }
}

function toReply(message: IncomingMessage): Reply {
  const pieces = message[Symbol.asyncIterator]()
  async function next(): Promise<Buffer | null> {
    const piece = await pieces.next()
    return piece.done === true ? null : piece.value
  }
  // A body nobody reads any more may break without anybody caring; `next` rejects for those who do.
  message.on('error', () => {})
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    next,
    async rest() {
      const read: Buffer[] = []
      for (let piece = await next(); piece !== null; piece = await next()) read.push(piece)
      return Buffer.concat(read)
    },
    async until(text) {
      let read = ''
      while (!read.includes(text)) {
        const piece = await next()
        if (piece === null) throw new Error(`the body ended without ${JSON.stringify(text)}:\n${read}`)
        read += piece.toString('latin1')
      }
      return read
    },
  }
}
