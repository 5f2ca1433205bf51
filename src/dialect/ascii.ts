// Compares bytes with ASCII text in place: field names and markers are looked for in every event and every line,
// where decoding first would cost more than the rest of the work.

const LF = 0x0a
const CR = 0x0d

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

/** Without the one line break at the end, when there is one. */
export function withoutLineBreak(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  if (bytes[end - 1] === LF) end--
  if (bytes[end - 1] === CR) end--
  return bytes.subarray(0, end)
}
