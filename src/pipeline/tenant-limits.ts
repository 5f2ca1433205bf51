// The stage that holds a tenant to its limits, before the body is read: a request that gets through keeps its slot until
// its exchange closes, and is charged then for what it used.

import type { TenantConfig } from '../config/config.ts'
import { RouterError } from '../errors/router-error.ts'
import type { Refusal } from '../limits/limit-book.ts'
import { hasLimits } from '../limits/meters.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'
import { withinStoreCall } from './store-call.ts'
import { chargeOf, estimateAtArrival, estimateFromBody, type TokenEstimate, tokensUsed } from './token-charge.ts'

/** Throws `rate_limit_exceeded` for a request beyond its tenant's limits. Costs nothing without any. */
export async function holdToLimits({ limits: desk }: RouterParts, exchange: Exchange): Promise<void> {
  const { tenant } = exchange
  if (tenant === null || !hasLimits(tenant)) return
  const charge = { tokens: chargeFor(tenant, exchange, estimateAtArrival(exchange)) }
  const asked = desk.admit({ tenant: tenant.name, limits: tenant, charge }, exchange.context.waitUntil)
  const outcome = asked instanceof Promise ? await withinStoreCall(exchange, 'lease_limits', asked) : asked
  exchange.limits = outcome
  if (outcome.kind === 'refused') throw refusalError(tenant, outcome.refusal)
  exchange.held.push({
    renew: () => outcome.renew(),
    release() {
      outcome.charge(tokensUsed(exchange))
      outcome.release()
    },
  })
}

/** Charges what the body asks for, now that it is known. It is not refused any more: that would be work for nothing. */
export function chargeForBody(exchange: Exchange, request: InferenceRequest): void {
  const { tenant, limits } = exchange
  if (tenant === null || limits?.kind !== 'admitted') return
  limits.charge(chargeFor(tenant, exchange, estimateFromBody(exchange, request)))
}

function chargeFor({ tokensPerMinute }: TenantConfig, exchange: Exchange, estimate: TokenEstimate): number {
  if (tokensPerMinute === null) return 0
  exchange.tokenEstimate = estimate
  return chargeOf(estimate, tokensPerMinute)
}

function refusalError(tenant: TenantConfig, { meter, retryAfterMs }: Refusal): RouterError {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1_000))
  return new RouterError('rate_limit_exceeded', `${complaint(tenant, meter)} Try again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
  })
}

function complaint(tenant: TenantConfig, meter: Refusal['meter']): string {
  switch (meter) {
    case 'requests':
      return `Your limit on requests per second (${tenant.rateLimitRps}) is reached.`
    case 'slots':
      return `Your limit on requests at a time (${tenant.maxConcurrent}) is reached: others of yours are still running.`
    case 'tokens':
      return `Your limit on tokens per minute (${tenant.tokensPerMinute}) is reached.`
  }
}
