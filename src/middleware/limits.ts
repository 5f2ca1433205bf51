// What a tenant may use, checked for each of its requests before the body is read.

import type { MiddlewareHandler } from 'hono'
import { holdToLimits } from '../pipeline/tenant-limits.ts'
import type { AppEnv } from './app-env.ts'

export function limits(): MiddlewareHandler<AppEnv> {
  return async function checkLimits({ env: { exchange, parts } }, next) {
    if (exchange.tenant !== null) await holdToLimits(parts, exchange)
    await next()
  }
}
