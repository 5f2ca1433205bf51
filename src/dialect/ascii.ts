// Compares bytes with ASCII text in place: field names and markers are looked for in every event and every line,
// where decoding first would cost more than the rest of the work.

/** Whether `bytes` are exactly this text. */
export function isText(bytes: Uint8Array, text: string): boolean {
  return bytes.length === text.length && matchesAt(bytes, 0, text)
}

/** Whether this text stands at `at`; false where the bytes end first. */
export function matchesAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false
  }
  return true
}
