// Services that know keys, over real HTTP: each answers as its mode says, which a test may change at any time.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from './launch.ts'

/** `knows`: 200 for keys that begin with `good`, 401 for others. */
export type KeyServiceMode =
  | 'knows'
  | 'refuses'
  | 'fails'
  | 'flaps'
  | 'redirects'
  | 'resets'
  | 'is_silent'
  | 'stalls'
  | 'chokes'

export interface KeyQuestionSeen {
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly key: string
}

export interface KeyServer {
  url(service: string): string
  /** How a service behaves from now on; `knows` when nothing was said. */
  set(service: string, mode: KeyServiceMode): void
  questions(service: string): readonly KeyQuestionSeen[]
  close(): Promise<void>
}

export async function startKeyServer(): Promise<KeyServer> {
  const modes = new Map<string, KeyServiceMode>()
  const seen = new Map<string, KeyQuestionSeen[]>()
  const server = createServer((request, response) => {
    const service = (request.url ?? '').slice(1)
    const key = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const questions = seen.get(service) ?? []
    seen.set(service, questions)
    questions.push({ method: request.method ?? '', headers: request.headers, key })
    // A router that gives up resets the connection.
    response.on('error', () => {})
    request.resume()
    ANSWERS[modes.get(service) ?? 'knows'](response, { key, count: questions.length })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: (service) => `http://127.0.0.1:${port}/${service}`,
    set: (service, mode) => void modes.set(service, mode),
    questions: (service) => seen.get(service) ?? [],
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Question {
  readonly key: string
  /** How many questions this one makes. */
  readonly count: number
}

const isGood = (key: string) => key.startsWith('good')

function knows(response: ServerResponse, { key }: Question): void {
  response.writeHead(isGood(key) ? 200 : 401).end('{}')
}

function fails(response: ServerResponse): void {
  response.writeHead(503).end('out of order')
}

const ANSWERS: Readonly<Record<KeyServiceMode, (response: ServerResponse, question: Question) => void>> = {
  knows,
  fails,
  refuses: (response) => void response.writeHead(401).end(),
  flaps: (response, question) => (question.count % 2 === 0 ? fails(response) : knows(response, question)),
  redirects: (response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  resets: (response) => void response.socket?.resetAndDestroy(),
  is_silent: () => {},
  stalls: (response) => void response.writeHead(200, { 'content-length': '10' }).write('{'),
  chokes: (response, question) => {
    if (question.key.includes('evil')) response.writeHead(500).end()
    else knows(response, question)
  },
}
