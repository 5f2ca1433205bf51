// Bun: its own server and fetch, with the timeouts of both switched off, as the router keeps its own.

import type { SendFailure } from '../platform.ts'
import type { ServerRuntime } from '../server.ts'
import { toDecoded } from './decoded.ts'
import { findCode, type FailureTable } from './failure-codes.ts'

const NOT_SENT: FailureTable = {
  ConnectionRefused: 'refused',
  ECONNREFUSED: 'refused',
  FailedToOpenSocket: 'refused',
  ENOTFOUND: 'dns',
  DNSResolveFailed: 'dns',
  CERT_HAS_EXPIRED: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls',
}

const MAYBE_SENT: FailureTable = { ECONNRESET: 'reset', ConnectionClosed: 'closed' }

/** What Bun's fetch decodes, whatever was asked for. */
const UNDONE_BY_FETCH = /^(?:x-)?gzip$|^(?:deflate|br|zstd)$/i

export function serverRuntime(): ServerRuntime {
  return {
    showsConnectPhase: false,
    // Bun gives up on any fetch after five minutes unless told not to.
    async send(url, { method, headers, body, signal }) {
      const init = { method, headers, body, signal, redirect: 'manual', timeout: false } as RequestInit
      return toDecoded(await fetch(url, init), UNDONE_BY_FETCH)
    },
    classifySendError(error): SendFailure {
      const notSent = findCode(error, NOT_SENT)
      if (notSent !== null) return { phase: 'not_sent', reason: notSent }
      return { phase: 'maybe_sent', reason: findCode(error, MAYBE_SENT) ?? 'network' }
    },
    async listen({ host, port, handle }) {
      const server = Bun.serve({
        hostname: host,
        port,
        // A worker may prefill for minutes without a byte; our idle timeout decides, not the socket's.
        idleTimeout: 0,
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        fetch: (request) => handle(withWholeUrl(request), null),
      })
      return {
        port: server.port ?? port,
        stopAccepting: () => server.stop(false),
        closeAll: () => void server.stop(true),
      }
    },
  }
}

/** Without a Host header (HTTP/1.0 allows that) Bun's URL is a bare path, which no URL parser takes. */
function withWholeUrl(request: Request): Request {
  return request.url.startsWith('/') ? new Request(`http://localhost${request.url}`, request) : request
}
