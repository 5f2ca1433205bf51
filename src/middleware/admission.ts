// A place in the router for each request, before its body is read: what waits for one holds no memory but its headers.

import type { MiddlewareHandler } from 'hono'
import { waitForPlace } from '../pipeline/admission.ts'
import type { AppEnv } from './app-env.ts'

/** Holds a request back while the router has as many as `max_concurrent_requests`. Costs nothing without that limit. */
export function admission(): MiddlewareHandler<AppEnv> {
  return async function holdBack(context, next) {
    const { exchange, parts } = context.env
    const { overload } = exchange.config
    if (overload !== null) await waitForPlace(parts, exchange, { overload, signal: () => context.req.raw.signal })
    await next()
  }
}
