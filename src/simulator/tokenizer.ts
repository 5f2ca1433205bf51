// A toy tokenizer: a token is up to four bytes of one word, and its id is those bytes. So ids need no table, any text
// survives the round trip, and two texts with a common prefix share their tokens up to the word in which they part.

const MAX_TOKEN_BYTES = 4
// First id of tokens of 1, 2, 3 and 4 bytes. UTF-8 has no byte above 0xf4, so text stays below FIRST_SPECIAL.
const FIRST_ID = [0, 0x100, 0x10100, 0x1010100] as const
const FIRST_SPECIAL = 4_200_000_000

/** Tokens that no text contains. All ids fit in 32 bits, as block hashes elsewhere expect. */
export const SPECIAL_TOKENS = {
  begin: FIRST_SPECIAL,
  end: FIRST_SPECIAL + 1,
  system: FIRST_SPECIAL + 2,
  developer: FIRST_SPECIAL + 3,
  user: FIRST_SPECIAL + 4,
  assistant: FIRST_SPECIAL + 5,
  tool: FIRST_SPECIAL + 6,
  tools: FIRST_SPECIAL + 7,
  media: FIRST_SPECIAL + 8,
} as const

const SPECIAL_TEXTS = new Map<number, string>(Object.entries(SPECIAL_TOKENS).map(([name, id]) => [id, `<|${name}|>`]))

const encoder = new TextEncoder()
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** Whether a token stands for no text of its own. */
export function isSpecialToken(token: number): boolean {
  return token >= FIRST_SPECIAL
}

/** Token ids of a text. A space belongs to the word after it. */
export function encodeText(text: string): number[] {
  const bytes = encoder.encode(text)
  const tokens: number[] = []
  let start = 0
  for (let end = 1; end <= bytes.length; end++) {
    const isCut = end === bytes.length || end - start === MAX_TOKEN_BYTES || isSpace(bytes[end] ?? 0)
    if (!isCut) continue
    tokens.push(tokenOfBytes(bytes, start, end))
    start = end
  }
  return tokens
}

function tokenOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let index = start; index < end; index++) value = value * 256 + (bytes[index] ?? 0)
  return (FIRST_ID[end - start - 1] ?? 0) + value
}

/** The bytes behind a token; null for an id that no token has. */
export function bytesOfToken(token: number): Uint8Array | null {
  const special = SPECIAL_TEXTS.get(token)
  if (special !== undefined) return encoder.encode(special)
  if (!Number.isInteger(token) || token < 0 || token >= FIRST_SPECIAL) return null
  const length = FIRST_ID.findLastIndex((first) => token >= first) + 1
  const bytes = new Uint8Array(length)
  let value = token - (FIRST_ID[length - 1] ?? 0)
  for (let index = length - 1; index >= 0; index--) {
    bytes[index] = value % 256
    value = Math.floor(value / 256)
  }
  return bytes
}

/** The text of token ids; null when one of them is out of range. */
export function decodeTokens(tokens: readonly number[]): string | null {
  const pieces = decodePieces(tokens)
  return pieces === null ? null : pieces.join('')
}

/** The text that each token adds. A character cut by a token boundary comes with the token that completes it. */
export function decodePieces(tokens: readonly number[]): string[] | null {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const pieces: string[] = []
  for (const token of tokens) {
    const bytes = bytesOfToken(token)
    if (bytes === null) return null
    pieces.push(decoder.decode(bytes, { stream: true }))
  }
  const rest = decoder.decode()
  if (rest !== '') pieces.push((pieces.pop() ?? '') + rest)
  return pieces
}
