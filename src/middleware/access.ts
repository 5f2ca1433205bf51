// Who may use a route. Checked before the body is read; a stage of the route, never of a path prefix.

import type { MiddlewareHandler } from 'hono'
import { RouterError } from '../errors/router-error.ts'
import type { Caller } from '../pipeline/callers.ts'
import type { AppEnv } from './app-env.ts'
import { statedLength } from './read-body.ts'

/** How soon a service that was silent may answer again. */
const RECHECK_SECONDS = 2

/** Finds out who calls, and opens the exchange's record for those who may. */
export function access(): MiddlewareHandler<AppEnv> {
  return async function checkAccess(context, next) {
    const { exchange, parts } = context.env
    const request = context.req.raw
    const asked = parts.callers.identify(request.headers, {
      requestId: exchange.requestId,
      // Asked for only when it is needed: on Node looking at it costs an abort controller.
      get signal() {
        return request.signal
      },
      waitUntil: exchange.context.waitUntil,
    })
    const caller = asked instanceof Promise ? await asked : asked
    if (caller.kind !== 'known') throw refusalOf(caller)
    if (parts.isDraining()) {
      throw new RouterError('shutting_down', 'The router is shutting down and takes no new work.', {
        retryAfterSeconds: 1,
      })
    }
    exchange.tenant = caller.tenant
    exchange.decisionId = parts.platform.randomId()
    exchange.requestBytes = statedLength(request.headers)
    parts.events.recordOpened(exchange)
    await next()
  }
}

function refusalOf({ kind }: Exclude<Caller, { readonly kind: 'known' }>): RouterError {
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
