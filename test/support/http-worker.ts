// A worker made of node:http, for tests of who asks it what: it counts, and answers as told.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type AnswerRequest = (request: IncomingMessage, response: ServerResponse) => void

export interface HttpWorker {
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly paths: string[]
  /** `authorization` of each of these requests. */
  readonly keys: (string | undefined)[]
  /** Most requests that waited for an answer at the same time. */
  most(): number
  /** How requests are answered from now on. */
  answer(answer: AnswerRequest): void
  close(): Promise<void>
}

export async function startHttpWorker(first: AnswerRequest): Promise<HttpWorker> {
  const paths: string[] = []
  const keys: (string | undefined)[] = []
  let answer = first
  let waiting = 0
  let most = 0
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    keys.push(request.headers.authorization)
    waiting += 1
    most = Math.max(most, waiting)
    response.once('close', () => (waiting -= 1))
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Listening on TCP, so the address is one.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    keys,
    most: () => most,
    answer: (next) => void (answer = next),
    close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      return closed.then(() => undefined)
    },
  }
}

/** Answers by path; 404 for the rest. */
export function byPath(answers: Readonly<Record<string, AnswerRequest>>): AnswerRequest {
  return (request, response) => {
    const own = answers[request.url ?? '']
    if (own === undefined) response.writeHead(404).end('{"detail":"Not Found"}')
    else own(request, response)
  }
}

/** A whole answer with this text. */
export function says(text: string, status = 200): AnswerRequest {
  return (_, response) => void response.writeHead(status).end(text)
}
