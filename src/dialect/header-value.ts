// The one encoder for header values the router writes: names from a config, a client or a worker can hold anything.
// Runtimes disagree on what they accept (Node throws on CJK, workerd sends raw bytes), so only visible ASCII leaves.

export const MAX_HEADER_VALUE_LENGTH = 1024

const encoder = new TextEncoder()

/**
 * Trims, passes visible ASCII and inner spaces, and percent-encodes the rest as UTF-8, cut to 1,024 characters.
 * `%` itself becomes `%25`, so that `decodeURIComponent` gives the trimmed value back and no two values look the same.
 */
export function encodeHeaderValue(value: string): string {
  const trimmed = value.trim()
  if (trimmed.length <= MAX_HEADER_VALUE_LENGTH && /^[\x20-\x24\x26-\x7e]*$/.test(trimmed)) return trimmed
  let encoded = ''
  // By code point: a cut between two of them leaves no half character, and a lone surrogate encodes as U+FFFD.
  for (const character of trimmed) {
    const next = isPlain(character) ? character : percentEncode(character)
    if (encoded.length + next.length > MAX_HEADER_VALUE_LENGTH) break
    encoded += next
  }
  // The cut may have bared a space, which Headers would strip and so make two spellings of one value.
  return encoded.trimEnd()
}

function isPlain(character: string): boolean {
  const code = character.charCodeAt(0)
  return code >= 0x20 && code <= 0x7e && character !== '%'
}

function percentEncode(character: string): string {
  let encoded = ''
  for (const byte of encoder.encode(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return encoded
}
