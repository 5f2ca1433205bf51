// `retry` and `hedge`: how often a request is tried again, when, and what of it the fleet can bear.
// Checks between their fields are in retry-checks.ts.

import * as z from 'zod'
import type { HedgeConfig, RetryConfig } from './config.ts'
import { list, seconds, wholeNumber } from './scalars.ts'

/** What of a 4xx says "later" or "elsewhere"; any other is the caller's own mistake and stays it. */
const RETRYABLE_CLIENT_STATUSES: ReadonlySet<number> = new Set([408, 409, 425, 429])

const STATUS_FORMS = 'must be a status from 500 to 599, or 408, 409, 425 or 429'

function retryableStatus() {
  return z
    .int({ error: STATUS_FORMS })
    .refine((status) => (status >= 500 && status <= 599) || RETRYABLE_CLIENT_STATUSES.has(status), {
      error: `${STATUS_FORMS}; any other is no failure, or the caller's own`,
    })
}

const DEFAULT_STATUSES_ONCE: readonly number[] = [502, 504]

function share(minimum: number, error: string) {
  return z.number({ error }).min(minimum, { error }).max(1, { error })
}

export const retrySchema = z.strictObject({
  /** Attempts after the first. */
  max_retries: wholeNumber(0, 10).default(2),
  initial_backoff_ms: wholeNumber(0, 60_000).default(50),
  max_backoff_ms: wholeNumber(0, 60_000).default(1_000),
  backoff_multiplier: z
    .number({ error: 'must be a number from 1 to 10' })
    .min(1, { error: 'must be at least 1: a wait that shrinks hits a busy fleet harder each time' })
    .max(10, { error: 'must be a number from 1 to 10' })
    .default(1.5),
  jitter_factor: share(0, 'must be a number from 0 to 1').default(0.2),
  /** Answers that are tried again on another worker. */
  statuses: list(retryableStatus(), '[429, 503]').default([429, 503]),
  /** Answers that are tried again once, as the worker may have begun. */
  statuses_once: list(retryableStatus(), '[502, 504]').optional(),
  /** `first_event` holds a stream's headers back until the worker's first event. */
  gate: z.enum(['off', 'first_event']).default('off'),
  budget: z
    .strictObject({
      /** Retries per request, at most. */
      ratio: share(0, 'must be a number from 0 to 1, such as 0.2 for 20 %').default(0.2),
      window_secs: seconds().default(10),
      /** Retries that a window always allows, however few requests it saw. */
      min_retries: wholeNumber(0, 100_000).default(10),
    })
    .prefault({}),
})

export const hedgeSchema = z.strictObject(
  {
    after_ms: wholeNumber(1, 3_600_000),
    /** Second attempts per request, at most. */
    max_share: share(0.001, 'must be a number from 0.001 to 1, such as 0.05 for 5 %').default(0.05),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be a map such as {after_ms: 2000}' : undefined) },
)

export function toRetry(retry: z.output<typeof retrySchema>, isDisabled: boolean): RetryConfig {
  const statuses = [...new Set(retry.statuses)]
  return {
    maxRetries: isDisabled ? 0 : retry.max_retries,
    initialBackoffMs: retry.initial_backoff_ms,
    maxBackoffMs: retry.max_backoff_ms,
    backoffMultiplier: retry.backoff_multiplier,
    jitterFactor: retry.jitter_factor,
    statuses,
    statusesOnce: [...new Set(retry.statuses_once ?? DEFAULT_STATUSES_ONCE)].filter((one) => !statuses.includes(one)),
    gate: retry.gate,
    budget: {
      ratio: retry.budget.ratio,
      windowMs: retry.budget.window_secs * 1000,
      minRetries: retry.budget.min_retries,
    },
  }
}

export function toHedge(hedge: z.output<typeof hedgeSchema> | null): HedgeConfig | null {
  return hedge === null ? null : { afterMs: hedge.after_ms, maxShare: hedge.max_share }
}
