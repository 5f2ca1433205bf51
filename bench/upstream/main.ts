// The upstream process: a worker that costs next to nothing, on as many ports as it is asked for, and a hook and a collector
// of traces beside it. Sockets and prebuilt bytes only; a real HTTP server would be a third of what is measured.

import { createServer, type Socket } from 'node:net'
import { createMessageReader, type HttpMessage } from '../http-messages.ts'
import { CHAT_ANSWER, EMBEDDINGS_ANSWER, HOOK_ANSWER, HOOK_PATH, MODELS_ANSWER, STREAM_EVENTS } from './answers.ts'

const HEADERS = 'server: uvicorn\r\ncontent-type: '

function whole(body: Buffer): Buffer {
  const head = `HTTP/1.1 200 OK\r\n${HEADERS}application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

const MODELS = whole(MODELS_ANSWER)
const CHAT = whole(CHAT_ANSWER)
const EMBEDDINGS = whole(EMBEDDINGS_ANSWER)
const HOOK = whole(HOOK_ANSWER)
const COLLECTED = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n')
const NOT_FOUND = Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
const STREAM: readonly Buffer[] = [
  Buffer.from(`HTTP/1.1 200 OK\r\n${HEADERS}text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n`),
  ...STREAM_EVENTS.map(chunk),
  Buffer.from('0\r\n\r\n'),
]

/** Streams under way, with the index of the next piece. */
const streams = new Map<Socket, number>()

/** One piece to each stream in a turn, as an engine does for the sequences of its batch. */
function pump(): void {
  for (const [socket, next] of streams) {
    if (socket.destroyed || next === STREAM.length) streams.delete(socket)
    else if (!socket.writableNeedDrain) {
      socket.write(STREAM[next] ?? '')
      streams.set(socket, next + 1)
    }
  }
  if (streams.size > 0) setImmediate(pump)
}

function answer(socket: Socket, { head, bodyStart }: HttpMessage): void {
  if (head.startsWith('POST /v1/chat/completions')) {
    if (!bodyStart.includes('"stream":true')) return void socket.write(CHAT)
    if (streams.size === 0) setImmediate(pump)
    streams.set(socket, 0)
  } else if (head.startsWith('POST /v1/embeddings')) socket.write(EMBEDDINGS)
  else if (head.startsWith(`POST ${HOOK_PATH}`)) socket.write(HOOK)
  else if (head.startsWith('POST /v1/traces')) socket.write(COLLECTED)
  else socket.write(head.startsWith('GET /v1/models') ? MODELS : NOT_FOUND)
}

function listen(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on(
      'data',
      createMessageReader((message) => answer(socket, message)),
    )
    // Whoever is measured may reset its connections when it stops.
    socket.on('error', () => socket.destroy())
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

process.once('disconnect', () => process.exit(0))
process.once('message', (ports: number) => {
  void Promise.all(Array.from({ length: ports }, listen)).then((listening) => process.send?.(listening))
})
