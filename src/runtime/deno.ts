// Deno: Deno.serve in front, its fetch behind.

import type { SendFailure } from '../platform.ts'
import type { ServerRuntime } from '../server.ts'
import { toDecoded } from './decoded.ts'

export function serverRuntime(): ServerRuntime {
  return {
    showsConnectPhase: false,
    async send(url, { method, headers, body, signal }) {
      const init = { method, headers, body: body instanceof Uint8Array ? sentOnce(body) : body, signal }
      // Deno decodes nothing where the request names the encodings it takes, and ours does.
      return toDecoded(await fetch(url, { ...init, redirect: 'manual' }), null)
    },
    classifySendError,
    async listen({ host, port, handle }) {
      const server = Deno.serve({ hostname: host, port, onListen: () => {} }, (request) => handle(request, null))
      return {
        port: server.addr.port,
        stopAccepting: () => server.shutdown(),
        closeAll: () => {},
      }
    },
  }
}

/**
 * Deno's fetch sends a request whose body is bytes once more when the connection breaks, though the worker may have
 * begun on it: the prompt would run twice behind the router's back. Of a blob it keeps no copy to send, yet the length.
 */
function sentOnce(body: Uint8Array<ArrayBuffer>): Blob {
  return new Blob([body])
}

/** Deno tells the phase of a failed request in words only, its own or its cause's: `client error (Connect)` never left. */
function classifySendError(error: unknown): SendFailure {
  const words = wordsOf(error)
  if (words.includes('client error (Connect)')) {
    if (words.includes('refused')) return { phase: 'not_sent', reason: 'refused' }
    if (words.includes('dns error')) return { phase: 'not_sent', reason: 'dns' }
    return { phase: 'not_sent', reason: /tls|certificate/i.test(words) ? 'tls' : 'connect' }
  }
  if (/reset by peer|broken pipe/i.test(words)) return { phase: 'maybe_sent', reason: 'reset' }
  return { phase: 'maybe_sent', reason: /connection closed/i.test(words) ? 'closed' : 'network' }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
