// When a failed attempt may be followed by another one, and after how long. Pure: budget, clock and randomness come in.

import type { RetryConfig } from '../config/config.ts'

/**
 * What a failure says about trying again.
 * `not_sent`: no byte reached the worker; another try costs nobody anything.
 * `declined`: the worker answered that it did not take the work (429, 503).
 * `maybe_sent`: the worker may have begun (reset before headers, first-byte timeout, 502, 504).
 * `failed`: the worker ran it and failed (500): the same request may fail every worker it visits.
 * `final`: nothing to be gained: the caller's own error, or the caller is gone.
 */
export type FailureClass = 'not_sent' | 'declined' | 'maybe_sent' | 'failed' | 'final'

/** The reason of a runtime that doesn't tell whether a request that failed had left; see `Platform.classifySendError`. */
export const UNTOLD_REASON = 'network'

/** The reason where a connection stood, but no TLS over it. Never tried in the clear. */
export const TLS_REASON = 'tls'

/** What one request has used up. */
export interface RetryUse {
  /** Attempts made that may have reached a worker, the first included. */
  readonly attempts: number
  /** Attempts made after one that may have been sent. */
  readonly repeats: number
}

/** How often a request that may have reached a worker is sent again: a blind repeat could run a prompt twice. */
const MAX_REPEATS = 1

/** The class of a status a worker answered with; null for one that is the answer. */
export function classifyStatus(status: number, config: RetryConfig): FailureClass | null {
  if (config.statuses.includes(status)) return 'declined'
  if (config.statusesOnce.includes(status)) return 'maybe_sent'
  return status >= 500 ? 'failed' : null
}

/** Whether the same model may be tried on another worker, as far as this request's own limits go. */
export function mayRetry(failure: FailureClass, use: RetryUse, config: RetryConfig): boolean {
  return failure !== 'failed' && mayTryAgain(failure, use, config)
}

/** Whether anything may be tried after this failure: another worker, or the next model of an `on_failure` chain. */
export function mayTryAgain(failure: FailureClass, use: RetryUse, config: RetryConfig): boolean {
  if (failure === 'final' || config.maxRetries === 0) return false
  // Nothing was sent, so nothing is repeated: every worker may be asked once.
  if (failure === 'not_sent') return true
  return use.attempts <= config.maxRetries && (failure !== 'maybe_sent' || use.repeats < MAX_REPEATS)
}

/** What was surely not sent doubles nothing, so it is free. */
export function spendsBudget(failure: FailureClass): boolean {
  return failure !== 'not_sent'
}

/**
 * Milliseconds to wait before the attempt after `attempts` earlier ones: `initial × multiplier^(attempts - 1)`, at most
 * `max`, plus or minus the jitter. A worker that was never reached is replaced at once.
 */
export function backoffMs(failure: FailureClass, attempts: number, config: RetryConfig, random: () => number): number {
  if (failure === 'not_sent') return 0
  const base = Math.min(config.initialBackoffMs * config.backoffMultiplier ** (attempts - 1), config.maxBackoffMs)
  return Math.max(0, Math.round(base * (1 + config.jitterFactor * (2 * random() - 1))))
}

/** The longest a worker's `Retry-After` is believed; what it knows of its own future is a guess. */
const MAX_RETRY_AFTER_MS = 60_000

/** Milliseconds a `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date), at most a minute; 0 without a usable one. */
export function retryAfterMs(headers: Pick<Headers, 'get'>, nowMs: number): number {
  const value = headers.get('retry-after')?.trim() ?? ''
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS) : 0
}
