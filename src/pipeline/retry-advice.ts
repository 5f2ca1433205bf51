// Tells client libraries not to try again what the router has tried already: their tries would multiply ours.

import type { Exchange } from './exchange.ts'

/** Understood by the `openai` library, which otherwise repeats a failed request twice. */
export const HEADER_SHOULD_RETRY = 'x-should-retry'

/** Set on failures once the router has spent its own tries. */
export function adviseOnRetries(headers: Headers, exchange: Exchange, status: number): void {
  if (exchange.hasSpentTries && status >= 400) headers.set(HEADER_SHOULD_RETRY, 'false')
}
