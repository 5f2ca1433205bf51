// A worker made of a bare socket, for what no HTTP server would send: single bytes, cuts of every kind, silence, and
// streams without end. It answers /v1/models by itself, so that the router takes it for a worker.

import { createServer, type Socket } from 'node:net'
import { freePort } from './launch.ts'

/** One request to the worker, with the socket to answer on. */
export interface RawExchange {
  /** Request line and headers as they came. */
  readonly head: string
  readonly body: Buffer
  readonly socket: Socket
  /** Resolves once the kernel has the bytes; rejects when the connection is gone. */
  write(bytes: string | Uint8Array): Promise<void>
  /** Resolves when the router has let the connection go. */
  readonly closed: Promise<void>
}

export type RawAnswer = (exchange: RawExchange) => void | Promise<void>

export interface RawWorker {
  readonly url: string
  /** How POST requests are answered from now on. */
  answer(answer: RawAnswer): void
  close(): Promise<void>
}

/** Opens a chunked event stream. */
export const SSE_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n'

/** Ends a chunked body. */
export const LAST_CHUNK = '0\r\n\r\n'

/** One chunk of a chunked body. */
export function chunk(bytes: string | Uint8Array): Buffer {
  const data = Buffer.from(bytes)
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')])
}

/** A whole answer with its length. */
export function wholeAnswer(status: string, type: string, body: string): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

export async function startRawWorker(model: string): Promise<RawWorker> {
  const list = JSON.stringify({ object: 'list', data: [{ id: model, object: 'model', created: 1, owned_by: 'vllm' }] })
  const sockets = new Set<Socket>()
  let answer: RawAnswer = ({ socket }) => void socket.destroy()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A router that leaves resets the connection; tests look at `closed`.
    socket.on('error', () => {})
    readRequests(socket, (exchange) => {
      if (exchange.head.startsWith('GET ')) socket.write(wholeAnswer('200 OK', 'application/json', list))
      else Promise.resolve(answer(exchange)).catch(() => socket.destroy())
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    answer(next) {
      answer = next
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Calls back for each request on a socket. Knows bodies with a length and chunked ones, which is all routers send. */
function readRequests(socket: Socket, onRequest: (exchange: RawExchange) => void): void {
  let received = Buffer.alloc(0)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
    for (;;) {
      const headEnd = received.indexOf('\r\n\r\n')
      if (headEnd === -1) return
      const head = received.subarray(0, headEnd).toString('latin1')
      const bodyStart = headEnd + 4
      const bodyEnd = endOfBody(head, received, bodyStart)
      if (bodyEnd === null) return
      const body = received.subarray(bodyStart, bodyEnd)
      received = received.subarray(bodyEnd)
      onRequest({ head, body, socket, closed, write: (bytes) => write(socket, bytes) })
    }
  })
}

function endOfBody(head: string, received: Buffer, start: number): number | null {
  if (/^transfer-encoding: *chunked/im.test(head)) {
    const last = received.indexOf(LAST_CHUNK, start)
    return last === -1 ? null : last + LAST_CHUNK.length
  }
  const end = start + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
  return received.length < end ? null : end
}

function write(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
  })
}
