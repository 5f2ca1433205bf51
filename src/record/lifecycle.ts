// How an exchange ended, in one word for whoever reads its record.

import type { ClosedState } from './format.ts'
import type { DecisionRecord } from './schema.ts'

/** What the word follows from. */
export interface ExchangeOutcome {
  readonly status: number
  /** How the body of the answer ended; null when the answer is the router's own. */
  readonly streamEnd: DecisionRecord['stream_end'] | null
  /** The router's error code when the answer is its own. */
  readonly errorCode: string | null
}

/**
 * `aborted`: the client left. `failed`: cut short, timed out, or answered with a server error. `completed`: all else; that
 * a caller was told no (4xx) is a good end. An exchange whose end nobody saw is `unknown`, which does not follow from
 * any outcome.
 */
export function lifecycleOf({ status, streamEnd, errorCode }: ExchangeOutcome): ClosedState {
  if (streamEnd === 'client_aborted' || errorCode === 'client_closed_request') return 'aborted'
  const isCut = streamEnd === 'truncated' || streamEnd === 'upstream_error' || streamEnd === 'timeout'
  return isCut || status >= 500 ? 'failed' : 'completed'
}
