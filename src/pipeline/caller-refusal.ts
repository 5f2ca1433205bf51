// Why a request goes no further than the door.

import { RouterError } from '../errors/router-error.ts'
import type { Caller } from './callers.ts'

/** How soon a service that was silent may answer again. */
const RECHECK_SECONDS = 2

export function shuttingDown(): RouterError {
  return new RouterError('shutting_down', 'The router is shutting down and takes no new work.', {
    retryAfterSeconds: 1,
  })
}

export function refusalOf({ kind }: Exclude<Caller, { readonly kind: 'known' }>): RouterError {
  switch (kind) {
    case 'stranger':
      return new RouterError(
        'invalid_api_key',
        'This router wants its API key, as `Authorization: Bearer KEY`, `X-Router-Key` or `x-api-key`.',
      )
    case 'disabled':
      return new RouterError('tenant_disabled', 'The tenant of this API key is switched off; ask the operator.')
    case 'unchecked':
      return new RouterError('key_check_unavailable', 'This API key can not be checked at the moment.', {
        retryAfterSeconds: RECHECK_SECONDS,
      })
    case 'gone':
      return new RouterError('client_closed_request', 'The client closed the connection.')
  }
}
