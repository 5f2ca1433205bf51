// Deno: Deno.serve in front, its fetch behind.

import type { SendFailure } from '../platform.ts'
import type { ServerRuntime } from '../server.ts'

export function serverRuntime(): ServerRuntime {
  return {
    showsConnectPhase: false,
    send: (url, { method, headers, body, signal }) => fetch(url, { method, headers, body, signal, redirect: 'manual' }),
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

/** Deno tells the phase of a failed request in its message only: `client error (Connect)` never left. */
function classifySendError(error: unknown): SendFailure {
  const message = error instanceof Error ? error.message : ''
  if (!message.includes('client error (Connect)')) return { phase: 'maybe_sent', reason: 'network' }
  if (message.includes('refused')) return { phase: 'not_sent', reason: 'refused' }
  if (message.includes('dns error')) return { phase: 'not_sent', reason: 'dns' }
  return { phase: 'not_sent', reason: message.includes('certificate') ? 'tls' : 'connect' }
}
