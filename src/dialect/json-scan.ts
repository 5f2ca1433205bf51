// Finds where the members of a JSON object's top level lie in its bytes, and refuses nesting too deep to parse safely.
// It judges no grammar: a scan means something only once JSON.parse has accepted the same bytes.

/** Where one top-level member lies: byte offsets, the key with its quotes, the value without surrounding space. */
export interface JsonMember {
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
}

export interface JsonScanLimits {
  /** Objects and arrays inside one another, the top object counted. */
  readonly maxDepth: number
  readonly maxMembers: number
}

/** `malformed` ends the scan at or after the byte where JSON.parse will stop; the other refusals are final. */
export type JsonScan =
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'malformed' | 'not_object' | 'too_deep' | 'too_many_members'; readonly at: number }

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const MALFORMED = -1
const TOO_DEEP = -2

/** Scans `bytes` from `start` in one pass; linear in their number whatever they hold. */
export function scanJsonObject(bytes: Uint8Array, start: number, limits: JsonScanLimits): JsonScan {
  const open = skipSpace(bytes, start)
  if (bytes[open] !== OPEN_BRACE) return { kind: 'not_object', at: open }
  const members: JsonMember[] = []
  let at = skipSpace(bytes, open + 1)
  if (bytes[at] === CLOSE_BRACE) return { kind: 'object', members }
  for (;;) {
    if (members.length === limits.maxMembers) return { kind: 'too_many_members', at }
    const keyStart = at
    const keyEnd = bytes[at] === QUOTE ? endOfString(bytes, at) : MALFORMED
    if (keyEnd < 0) return { kind: 'malformed', at }
    at = skipSpace(bytes, keyEnd)
    if (bytes[at] !== COLON) return { kind: 'malformed', at }
    const valueStart = skipSpace(bytes, at + 1)
    const valueEnd = endOfValue(bytes, valueStart, limits.maxDepth - 1)
    if (valueEnd < 0) return { kind: valueEnd === TOO_DEEP ? 'too_deep' : 'malformed', at: valueStart }
    members.push({ keyStart, keyEnd, valueStart, valueEnd })
    at = skipSpace(bytes, valueEnd)
    if (bytes[at] === CLOSE_BRACE) return { kind: 'object', members }
    if (bytes[at] !== COMMA) return { kind: 'malformed', at }
    at = skipSpace(bytes, at + 1)
  }
}

/** The key of a member, escapes resolved. Only for bytes that JSON.parse has accepted. */
export function memberKey(bytes: Uint8Array, member: JsonMember): string {
  let key = ''
  for (let at = member.keyStart + 1; at < member.keyEnd - 1; at++) {
    const byte = bytes[at] ?? 0
    if (byte === BACKSLASH || byte > 0x7e) return decodedKey(bytes.subarray(member.keyStart, member.keyEnd))
    key += String.fromCharCode(byte)
  }
  return key
}

/** Whether the key is spelt with an escape. */
export function hasEscapedKey(bytes: Uint8Array, member: JsonMember): boolean {
  for (let at = member.keyStart + 1; at < member.keyEnd - 1; at++) {
    if (bytes[at] === BACKSLASH) return true
  }
  return false
}

/** The member that JSON.parse took for `key`: the last one of that name, however its key is spelt. */
export function findMember(bytes: Uint8Array, members: readonly JsonMember[], key: string): JsonMember | null {
  return members.findLast((member) => memberKey(bytes, member) === key) ?? null
}

function decodedKey(quotedKey: Uint8Array): string {
  const key: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(quotedKey))
  return String(key)
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  for (; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
  }
  return at
}

/** The end of the value that starts at `start`, or a negative number where there is none or it nests too deep. */
export function endOfValue(bytes: Uint8Array, start: number, maxDepth: number): number {
  const first = bytes[start]
  if (first === QUOTE) return endOfString(bytes, start)
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfContainer(bytes, start, maxDepth)
  return endOfLiteral(bytes, start)
}

// Brackets are counted, not matched: where they don't match, JSON.parse stops no later than this count does.
function endOfContainer(bytes: Uint8Array, start: number, maxDepth: number): number {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      const end = endOfString(bytes, at)
      if (end < 0) return MALFORMED
      at = end - 1
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++
      if (depth > maxDepth) return TOO_DEEP
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--
      if (depth === 0) return at + 1
    }
  }
  return MALFORMED
}

function endOfLiteral(bytes: Uint8Array, start: number): number {
  let at = start
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte <= 0x20 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break
  }
  return at === start ? MALFORMED : at
}

function endOfString(bytes: Uint8Array, open: number): number {
  let close = indexOfQuote(bytes, open + 1)
  while (close >= 0) {
    // An odd run of backslashes escapes the quote. The runs before two quotes never overlap, so this stays linear.
    let runStart = close
    while (bytes[runStart - 1] === BACKSLASH) runStart--
    if ((close - runStart) % 2 === 0) return close + 1
    close = indexOfQuote(bytes, close + 1)
  }
  return MALFORMED
}

// Most strings are short, where a call costs more than it saves; in a long prompt the native search is what counts.
function indexOfQuote(bytes: Uint8Array, start: number): number {
  const near = Math.min(start + 32, bytes.length)
  for (let at = start; at < near; at++) {
    if (bytes[at] === QUOTE) return at
  }
  return bytes.indexOf(QUOTE, near)
}
