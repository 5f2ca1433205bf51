// Texts that must fit into so many bytes of UTF-8. A character that does not fit whole is left out whole.

export interface CutText {
  readonly text: string
  readonly isCut: boolean
}

/** The beginning of a text that fits. */
export function cutText(text: string, maxBytes: number): CutText {
  // Three bytes are the most that a unit of UTF-16 takes.
  if (text.length * 3 <= maxBytes) return { text, isCut: false }
  // What lies beyond can't fit, as a unit takes a byte at least.
  const beginning = text.slice(0, maxBytes + 1)
  const { read } = new TextEncoder().encodeInto(beginning, new Uint8Array(maxBytes))
  return { text: text.slice(0, read), isCut: read < text.length }
}

/**
 * The text of bytes of which the beginning is at hand: `isWhole` says whether they are all. What is no UTF-8 is replaced,
 * which can make it longer; that is cut again.
 */
export function textOfBytes(bytes: Uint8Array, maxBytes: number, isWhole: boolean): CutText {
  // As a stream that goes on, the decoder leaves out a character that is not all there.
  const text = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(bytes, { stream: !isWhole })
  const cut = cutText(text, maxBytes)
  return { text: cut.text, isCut: cut.isCut || !isWhole }
}
