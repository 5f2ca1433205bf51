// The only place that builds error answers: in the caller's dialect, with the request id, and with no word of what went
// wrong inside.

import { errorBody } from '../dialect/error-body.ts'
import { RouterError } from '../errors/router-error.ts'
import type { HeaderFields } from '../platform.ts'
import { closeExchange } from '../pipeline/close.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { adviseOnRetries } from '../pipeline/retry-advice.ts'
import type { RouterParts } from '../pipeline/router-parts.ts'
import { setRoutingHeaders } from '../pipeline/routing-headers.ts'

const JSON_TYPE = 'application/json'

/** The answer to a request that failed, and the end of its exchange. */
export function toErrorAnswer(parts: RouterParts, exchange: Exchange, error: unknown): Response {
  const known = error instanceof RouterError ? error : internal(parts, exchange, error)
  const { status } = known.definition
  const body = errorBody(exchange.dialect, known, exchange.requestId)
  exchange.replay?.openAnswer(JSON_TYPE, 'other')?.push(new TextEncoder().encode(body))
  const isClientGone = known.code === 'client_closed_request'
  closeExchange(parts, exchange, {
    status,
    streamEnd: isClientGone ? 'client_aborted' : known.code === 'upstream_timeout' ? 'timeout' : null,
    errorCode: known.code,
  })
  const headers: HeaderFields = { 'content-type': JSON_TYPE }
  setRoutingHeaders(headers, exchange)
  adviseOnRetries(headers, exchange, status)
  if (known.retryAfterSeconds !== null) headers['retry-after'] = String(known.retryAfterSeconds)
  if (known.allow !== null) headers['allow'] = known.allow.join(', ')
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  return new Response(body, { status, headers })
}

function internal(parts: RouterParts, exchange: Exchange, cause: unknown): RouterError {
  parts.events.defect(exchange.requestId, cause)
  return new RouterError('internal_error', 'The router failed on this request; its log has the request id.', { cause })
}
