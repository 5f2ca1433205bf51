// The keys a request offers, and what no key can be. Nothing here knows which keys are good.

/** More than any key or token of an identity provider; what is longer is not even hashed. */
export const MAX_KEY_LENGTH = 8_192

/** Names of the headers a key may come in beside `Authorization: Bearer`. */
const KEY_HEADERS = ['x-router-key', 'x-api-key'] as const

/** What programs send that have no key: the words of their languages for nothing. */
export const NO_KEYS: ReadonlySet<string> = new Set(['undefined', 'null', 'None', 'none', 'nil', 'NaN'])

/**
 * The different keys in `Authorization: Bearer`, `X-Router-Key` and `x-api-key` (Anthropic's clients send that one), in
 * this order. Any of them may be the good one: a proxy may fill the others.
 */
export function offeredKeys(header: (name: string) => string | null): readonly string[] {
  const offered = new Set<string>()
  for (const key of [bearerOf(header('authorization')), ...KEY_HEADERS.map(header)]) {
    if (key !== null && canBeKey(key)) offered.add(key)
  }
  return [...offered]
}

/** Whether a text could be a key at all: visible ASCII, of a length that headers carry, and no word for nothing. */
export function canBeKey(key: string): boolean {
  return key.length <= MAX_KEY_LENGTH && /^[\x21-\x7e]+$/.test(key) && !NO_KEYS.has(key)
}

function bearerOf(authorization: string | null): string | null {
  // Longer than a key and the word before it: not worth a look.
  if (authorization === null || authorization.length > 2 * MAX_KEY_LENGTH) return null
  const match = /^bearer +(\S+) *$/i.exec(authorization)
  return match?.[1] ?? null
}
