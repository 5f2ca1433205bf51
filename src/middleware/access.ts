// Who may use a route. Checked before the body is read; a stage of the route, never of a path prefix.

import type { MiddlewareHandler } from 'hono'
import { digestOfKey, equalDigests } from '../access/key-digest.ts'
import type { Config } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { AppEnv } from './app-env.ts'

/** Wants the inbound key where one is configured, and opens the exchange's record for callers that have it. */
export function access(): MiddlewareHandler<AppEnv> {
  return async function checkAccess(context, next) {
    const { exchange, parts } = context.env
    checkInboundKey(exchange.config, context.req.raw.headers)
    if (parts.isDraining()) {
      throw new RouterError('shutting_down', 'The router is shutting down and takes no new work.', {
        retryAfterSeconds: 1,
      })
    }
    exchange.decisionId = parts.platform.randomId()
    await next()
  }
}

/**
 * Throws `invalid_api_key` unless the request carries the inbound key as `Authorization: Bearer`, `X-Router-Key` or
 * `x-api-key` (Anthropic's clients send that one). Any of them may match: a proxy may fill the others.
 */
export function checkInboundKey(config: Pick<Config, 'inboundKeyDigest'>, headers: Headers): void {
  const { inboundKeyDigest } = config
  if (inboundKeyDigest === null) return
  const offered = [bearerOf(headers.get('authorization')), headers.get('x-router-key'), headers.get('x-api-key')]
  let isAllowed = false
  for (const key of offered) if (key !== null && equalDigests(digestOfKey(key), inboundKeyDigest)) isAllowed = true
  if (!isAllowed) {
    throw new RouterError(
      'invalid_api_key',
      'This router wants its API key, as `Authorization: Bearer KEY`, `X-Router-Key` or `x-api-key`.',
    )
  }
}

function bearerOf(authorization: string | null): string | null {
  const match = /^bearer +(\S+) *$/i.exec(authorization ?? '')
  return match?.[1] ?? null
}
