// `health_check` and `circuit_breaker`: how the fleet is watched, and when a worker is left alone.

import * as z from 'zod'
import type { BreakerConfig, HealthConfig } from './config.ts'
import { flag, seconds, text, wholeNumber } from './scalars.ts'

function share(error: string) {
  return z.number({ error }).gt(0, { error }).max(1, { error })
}

export const healthSchema = z.strictObject({
  check_interval_secs: seconds().default(5),
  /** For each answer of a probe. */
  timeout_secs: seconds().default(2),
  /** Probes failed in a row until a worker counts as gone. */
  failure_threshold: wholeNumber(1, 100).default(3),
  /** Probes answered in a row until one that was gone counts as back. */
  success_threshold: wholeNumber(1, 100).default(2),
  endpoint: text()
    .regex(/^\/[^\s?#]*$/, { error: 'must be a path such as /health' })
    .default('/health'),
  /** How long a worker with running requests may deliver nothing until it counts as hung. */
  stall_secs: seconds().default(120),
  /** Above this share of a model's workers looking bad, those only probes or error rates speak against are used again. */
  panic_threshold: share('must be a number above 0 and up to 1, such as 0.5 for half').default(0.5),
})

export const breakerSchema = z.strictObject({
  /** Faults in a row that open it. */
  failure_threshold: wholeNumber(1, 10_000).default(10),
  /** Successes that close it again. */
  success_threshold: wholeNumber(1, 100).default(2),
  /** How long it stays open before a request is let through to see. */
  timeout_duration_secs: seconds().default(10),
  /** The rolling window that the error rate is taken over. */
  window_duration_secs: seconds().default(30),
  error_rate: share('must be a number above 0 and up to 1, such as 0.5 for half').default(0.5),
  /** Attempts the window must hold before its error rate says anything. */
  minimum_volume: wholeNumber(1, 1_000_000).default(20),
  /** Requests let through at a time while it is half open, over the whole fleet of isolates. */
  half_open_probes: wholeNumber(1, 100).default(1),
  /** Whether workers with an open breaker are used when nobody else is left. */
  last_resort: flag().default(false),
})

type BreakerSection = z.output<typeof breakerSchema>

/**
 * Nobody who configured no breaker expects one to refuse requests, so without a section of its own it only diverts them.
 */
export function toHealth(health: z.output<typeof healthSchema>, breaker: BreakerSection | undefined): HealthConfig {
  return {
    intervalMs: health.check_interval_secs * 1000,
    timeoutMs: health.timeout_secs * 1000,
    failureThreshold: health.failure_threshold,
    successThreshold: health.success_threshold,
    endpoint: health.endpoint,
    stallMs: health.stall_secs * 1000,
    panicThreshold: health.panic_threshold,
    usesOpenLast: breaker?.last_resort ?? true,
  }
}

/** Null when breakers are switched off. */
export function toBreaker(section: BreakerSection | undefined, isDisabled: boolean): BreakerConfig | null {
  if (isDisabled) return null
  const breaker = section ?? breakerSchema.parse({})
  return {
    failureThreshold: breaker.failure_threshold,
    successThreshold: breaker.success_threshold,
    openMs: breaker.timeout_duration_secs * 1000,
    windowMs: breaker.window_duration_secs * 1000,
    errorRate: breaker.error_rate,
    minimumVolume: breaker.minimum_volume,
    halfOpenProbes: breaker.half_open_probes,
  }
}
