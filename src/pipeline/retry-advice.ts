// Tells client libraries not to try again what the router has tried already: their tries would multiply ours.

import type { HeaderFields } from '../platform.ts'
import type { Exchange } from './exchange.ts'
import { RETRY_AFTER_SECONDS } from './resolve-model.ts'

/** Understood by the `openai` library, which otherwise repeats a failed request twice. */
export const HEADER_SHOULD_RETRY = 'x-should-retry'

/**
 * Set on failures once the router has spent its own tries. A 503 always says when to come back, though the worker that it
 * is from may not have.
 */
export function adviseOnRetries(headers: HeaderFields, exchange: Exchange, status: number): void {
  if (status === 503) headers['retry-after'] ??= String(RETRY_AFTER_SECONDS)
  if (exchange.hasSpentTries && status >= 400) headers[HEADER_SHOULD_RETRY] = 'false'
}
