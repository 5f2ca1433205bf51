// Token ids as short text, for stores that keep text: their number and each of them in seven bits a byte, lowest first
// (LEB128, DWARF 5 section 7.6), as base64. An id of a usual vocabulary takes four characters.

/** Says which form this is, so that another can be told from it. */
const FORM = 't1.'

/** A piece that `String.fromCharCode` takes at a time. */
const PIECE_BYTES = 8_192

export function toTokenText(ids: Uint32Array): string {
  // An id of 32 bits takes five bytes, and so does their number.
  const bytes = new Uint8Array(5 * (ids.length + 1))
  let end = writeNumber(bytes, 0, ids.length)
  for (const id of ids) end = writeNumber(bytes, end, id)
  let binary = ''
  for (let at = 0; at < end; at += PIECE_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + PIECE_BYTES)))
  }
  return FORM + btoa(binary)
}

/** Null for anything that `toTokenText` did not write, whole. */
export function parseTokenText(text: string): Uint32Array | null {
  const bytes = text.startsWith(FORM) ? bytesOf(text.slice(FORM.length)) : null
  if (bytes === null) return null
  const reader = { bytes, at: 0 }
  const length = readNumber(reader)
  // Each takes a byte at least: a length beyond that is none, and must not be made room for.
  if (length === null || length > bytes.length - reader.at) return null
  const ids = new Uint32Array(length)
  for (let index = 0; index < length; index += 1) {
    const id = readNumber(reader)
    if (id === null) return null
    ids[index] = id
  }
  return reader.at === bytes.length ? ids : null
}

function writeNumber(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) + 0x80
  bytes[at] = rest
  return at + 1
}

function readNumber(reader: { readonly bytes: Uint8Array; at: number }): number | null {
  let value = 0
  for (let factor = 1; ; factor *= 0x80) {
    const byte = reader.bytes[reader.at]
    if (byte === undefined) return null
    reader.at += 1
    value += (byte % 0x80) * factor
    if (value > 0xffff_ffff) return null
    if (byte < 0x80) return value
  }
}

function bytesOf(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return null // no base64, so nothing of ours
  }
}
