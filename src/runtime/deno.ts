// Deno: Deno.serve in front, its fetch behind.

import type { SendFailure, WorkerAnswer } from '../platform.ts'
import type { ServerRuntime } from '../server.ts'
import { openByteReader } from './byte-reader.ts'
import { toDecoded } from './decoded.ts'
import { SentOnce } from './sent-once.ts'

export function serverRuntime(): ServerRuntime {
  return {
    showsConnectPhase: false,
    async send(url, { method, headers, body, signal }) {
      const sent = body instanceof Uint8Array ? new SentOnce(body) : body
      // Deno decodes nothing where the request names the encodings it takes, and ours does.
      return withReader(toDecoded(await fetch(url, { method, headers, body: sent, signal, redirect: 'manual' }), null))
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

/** What was decoded here comes from a stream of another kind. */
function withReader(answer: Response & Pick<WorkerAnswer, 'isDecoded'>): WorkerAnswer {
  const { body, isDecoded } = answer
  return body === null || isDecoded === true
    ? answer
    : Object.assign(answer, { openReader: () => openByteReader(body) })
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
