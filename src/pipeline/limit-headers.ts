// What a tenant's answers say of its limits, in OpenAI's words: client libraries and dashboards read them.
// https://platform.openai.com/docs/guides/rate-limits

import type { MeterName } from '../limits/meters.ts'
import type { HeaderFields } from '../platform.ts'
import type { Exchange } from './exchange.ts'

/** Slots have no header: nobody else has any, and they come back at no known time. */
const HEADER_ENDINGS: readonly (readonly [MeterName, string])[] = [
  ['requests', 'requests'],
  ['tokens', 'tokens'],
]

export const LIMIT_HEADERS: readonly string[] = HEADER_ENDINGS.flatMap(([, ending]) =>
  ['limit', 'remaining', 'reset'].map((what) => `x-ratelimit-${what}-${ending}`),
)

/** Adds where the limits of the exchange's tenant stand now; nothing for callers that have none. */
export function setLimitHeaders(headers: HeaderFields, { limits }: Pick<Exchange, 'limits'>): void {
  if (limits === null) return
  const standings = limits.standing()
  for (const [meter, ending] of HEADER_ENDINGS) {
    const standing = standings[meter]
    if (standing === undefined) continue
    headers[`x-ratelimit-limit-${ending}`] = String(standing.limit)
    headers[`x-ratelimit-remaining-${ending}`] = String(standing.remaining)
    headers[`x-ratelimit-reset-${ending}`] = toDuration(standing.resetMs)
  }
}

/** As OpenAI writes them: `20ms`, `1s`, `6m0s`, `1h0m0s`. Rounded up, so that who waits as long waits long enough. */
export function toDuration(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`
  const seconds = Math.ceil(ms / 1_000)
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`
}
