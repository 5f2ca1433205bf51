// Node: node:http through @hono/node-server in front, undici behind, whose own timeouts would cut long generations.

import { getRequestListener } from '@hono/node-server'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { Agent } from 'undici'
import type { SendFailure } from '../platform.ts'
import type { ServerRuntime } from '../server.ts'
import { findCode, type FailureTable } from './failure-codes.ts'
import { toWorkerAnswer } from './node-answer.ts'

/** Undici's and Node's codes for a connection that never stood; anything else may have reached the worker. */
const NOT_SENT: FailureTable = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EHOSTUNREACH: 'unroutable',
  ENETUNREACH: 'unroutable',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  CERT_HAS_EXPIRED: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls',
}

const MAYBE_SENT: FailureTable = {
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'closed',
  // What came is no answer; whoever sent it had the request.
  HPE_INVALID_CONSTANT: 'not_http',
  HPE_INVALID_VERSION: 'not_http',
  HPE_INVALID_STATUS: 'not_http',
  HPE_INVALID_HEADER_TOKEN: 'not_http',
  HPE_INVALID_CONTENT_LENGTH: 'not_http',
  HPE_INVALID_TRANSFER_ENCODING: 'not_http',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'not_http',
  HPE_CR_EXPECTED: 'not_http',
  HPE_LF_EXPECTED: 'not_http',
  UND_ERR_HEADERS_OVERFLOW: 'not_http',
}

const NO_LIMIT = 0

/** Stands in the URL of a request that names no host, as HTTP/1.0 allows. */
const DEFAULT_HOSTNAME = 'localhost'

export function serverRuntime(): ServerRuntime {
  const agents = new Map<number | null, Agent>()
  function agentFor(connectTimeoutMs: number | null): Agent {
    const known = agents.get(connectTimeoutMs)
    if (known !== undefined) return known
    const agent = new Agent({
      connect: { timeout: connectTimeoutMs ?? NO_LIMIT },
      headersTimeout: NO_LIMIT,
      bodyTimeout: NO_LIMIT,
    })
    agents.set(connectTimeoutMs, agent)
    return agent
  }

  return {
    showsConnectPhase: true,
    async send(url, { method, headers, body, signal, connectTimeoutMs }) {
      // Cut, not parsed: a URL parser would rewrite the query.
      const pathAt = url.indexOf('/', url.indexOf('//') + 2)
      const data = await agentFor(connectTimeoutMs).request({
        origin: url.slice(0, pathAt),
        path: url.slice(pathAt),
        method,
        headers,
        // Node's declaration of the web stream and the standard's name the same thing apart.
        body: body instanceof ReadableStream ? Readable.fromWeb(body as unknown as NodeReadableStream) : body,
        signal,
      })
      return toWorkerAnswer(data)
    },
    classifySendError(error): SendFailure {
      const notSent = findCode(error, NOT_SENT)
      if (notSent !== null) return { phase: 'not_sent', reason: notSent }
      return { phase: 'maybe_sent', reason: findCode(error, MAYBE_SENT) ?? 'network' }
    },
    listen({ host, port, handle }) {
      return new Promise((resolve, reject) => {
        const listener = getRequestListener(
          (request, env) => handle(request, 'incoming' in env ? (env.incoming.url ?? null) : null),
          // A target or Host header that makes no URL is refused in our words, not with an empty answer.
          { hostname: DEFAULT_HOSTNAME, errorHandler: () => handle(new Request(`http://${DEFAULT_HOSTNAME}/`), '') },
        )
        const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
        server.listen(port, host, () => {
          const address = server.address()
          const taken = typeof address === 'object' && address !== null ? address.port : port
          resolve({ port: taken, stopAccepting, closeAll: () => server.closeAllConnections() })
        })
        // Above the keep-alive of usual load balancers, so that they, not we, close an idle connection.
        server.keepAliveTimeout = 75_000
        server.once('error', reject)
        const stopAccepting = () => new Promise<void>((done) => server.close(() => done()))
      })
    },
  }
}
