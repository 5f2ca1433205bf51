// A hook service over real HTTP that behaves as its path says: every answer of the protocol, and every way to fail.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from './launch.ts'

/** One call, as the hook saw it. */
export interface HookCall {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly atMs: number
  json(): ReturnType<typeof JSON.parse>
  /** True once the router has dropped the call before it was answered. */
  isDropped(): boolean
}

type Respond = (response: ServerResponse, call: HookCall) => void | Promise<void>

export interface HookServer {
  url(path: string): string
  /** An address where nobody listens. */
  readonly deadUrl: string
  calls(path?: string): readonly HookCall[]
  /** The calls for one request of a client. */
  callsOf(requestId: string): readonly HookCall[]
  /** What a path of one's own answers; an object as JSON, a string as it is. */
  script(path: string, answer: (call: HookCall) => object | string | Promise<object | string>): void
  close(): Promise<void>
}

const MEBIBYTE = 1024 * 1024

/** What a hook that masks sends back: the request's own fields, spelt as no serialiser would. */
export const MASKED_FIELDS =
  '"seed":12345678901234567890, "top_p":1.0,"messages":[{"role":"user","content":"caf\\u00e9 [masked]"}],"max_tokens":2'

const BEHAVIOURS: Readonly<Record<string, Respond>> = {
  '/allow': (response) => sendJson(response, { action: 'allow' }),
  '/reject': (response) => sendJson(response, { action: 'reject', reason: 'rule 7 says no' }),
  '/reject-silently': (response) => sendJson(response, { action: 'reject' }),
  '/transform': (response, call) =>
    sendText(response, `{"action":"transform","body":{"model":"${call.json().model}",${MASKED_FIELDS}}}`),
  '/transform-no-body': (response) => sendJson(response, { action: 'transform' }),
  '/transform-null': (response) => sendJson(response, { action: 'transform', body: null }),
  '/transform-text': (response) => sendJson(response, { action: 'transform', body: '{}' }),
  '/transform-unusable': (response) => sendJson(response, { action: 'transform', body: { model: 7 } }),
  '/unknown-action': (response) => sendJson(response, { action: 'quarantine' }),
  '/no-headers': () => {},
  '/stalled-body': (response) => void response.writeHead(200, JSON_TYPE).write('{"action":'),
  // A byte now and then keeps every idle timeout quiet; only a deadline for the whole answer ends it.
  '/dripping-body': (response) => {
    response.writeHead(200, JSON_TYPE)
    const timer = setInterval(() => response.write(' '), 20)
    response.once('close', () => clearInterval(timer))
  },
  '/status-500': (response) => sendText(response, '{"action":"allow"}', 500),
  '/status-404': (response) => sendText(response, '{"action":"allow"}', 404),
  '/redirect': (response) => void response.writeHead(307, { location: '/redirected' }).end(),
  '/redirected': (response) => sendJson(response, { action: 'allow' }),
  '/not-json': (response) => sendText(response, '<html>all is well</html>'),
  '/empty': (response) => sendText(response, ''),
  '/no-content': (response) => void response.writeHead(204).end(),
  '/array': (response) => sendText(response, '[{"action":"allow"}]'),
  '/no-action': (response) => sendJson(response, { allow: true }),
  '/action-of-wrong-type': (response) => sendJson(response, { action: true }),
  '/oversized': (response) => sendText(response, `{"action":"allow","pad":"${'x'.repeat(MEBIBYTE)}"}`),
  '/endless': (response) => {
    response.writeHead(200, JSON_TYPE)
    response.write('{"action":"allow","pad":"')
    const pour = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', pour)
    pour()
  },
  '/reset': (response) => void response.socket?.resetAndDestroy(),
  '/cut': (response) => {
    response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' })
    response.write('{"action":"allow"}', () => response.socket?.destroy())
  },
}

const JSON_TYPE = { 'content-type': 'application/json' } as const

export async function startHookServer(): Promise<HookServer> {
  const calls: HookCall[] = []
  const scripts = new Map<string, Respond>(Object.entries(BEHAVIOURS))
  const server = createServer((request, response) => {
    // A router that gives up resets the connection.
    response.on('error', () => {})
    readCall(request, response)
      .then(async (call) => {
        calls.push(call)
        const respond = scripts.get(call.path)
        if (respond === undefined) return sendText(response, `no behaviour is called ${call.path}`, 501)
        return respond(response, call)
      })
      .catch(() => response.destroy())
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    deadUrl: `http://127.0.0.1:${await freePort()}/check`,
    calls: (path) => (path === undefined ? calls : calls.filter((call) => call.path === path)),
    callsOf: (requestId) => calls.filter(({ headers }) => headers['x-request-id'] === requestId),
    script(path, answer) {
      scripts.set(path, async (response, call) => {
        const given = await answer(call)
        sendText(response, typeof given === 'string' ? given : JSON.stringify(given))
      })
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readCall(request: IncomingMessage, response: ServerResponse): Promise<HookCall> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString()
  let isDropped = false
  response.once('close', () => (isDropped = !response.writableFinished))
  return {
    path: request.url ?? '',
    headers: request.headers,
    text,
    atMs: Date.now(),
    json: () => JSON.parse(text),
    isDropped: () => isDropped,
  }
}

function sendJson(response: ServerResponse, body: object): void {
  sendText(response, JSON.stringify(body))
}

function sendText(response: ServerResponse, text: string, status = 200): void {
  response.writeHead(status, JSON_TYPE).end(text)
}
