// The beginning of a body as a record keeps it, copied while the body passes.

import { textOfBytes } from './cut-text.ts'

export interface CapturedText {
  readonly text: string
  readonly isTruncated: boolean
}

/** A body that was kept, or why it was not. */
export type CapturedBody =
  | CapturedText
  /** Its media type, such as `multipart/form-data`: of what is no text nothing is kept. */
  | { readonly omitted: string }

/** Takes a body in pieces, and keeps no more than its first `maxBytes`. */
export class BodyBeginning {
  readonly #maxBytes: number
  /** What is kept, in the first `#kept` bytes of a buffer that grows: copied, as chunks are the client's. */
  #buffer = new Uint8Array(0)
  #kept = 0
  #isCut = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Uint8Array): void {
    const room = this.#maxBytes - this.#kept
    if (chunk.length > room) this.#isCut = true
    const piece = chunk.subarray(0, room)
    if (piece.length === 0) return
    this.#makeRoomFor(this.#kept + piece.length)
    this.#buffer.set(piece, this.#kept)
    this.#kept += piece.length
  }

  captured(): CapturedText {
    const { text, isCut } = textOfBytes(this.#buffer.subarray(0, this.#kept), this.#maxBytes, !this.#isCut)
    return { text, isTruncated: isCut }
  }

  #makeRoomFor(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    // Whole bodies come in one piece, and need no more room than they take.
    const grown = new Uint8Array(this.#kept === 0 ? bytes : Math.min(this.#maxBytes, 2 * bytes))
    grown.set(this.#buffer.subarray(0, this.#kept))
    this.#buffer = grown
  }
}

/** Whether a body of this media type is text. One that says nothing is taken for what callers mostly send, JSON. */
export function isTextType(type: string): boolean {
  return (
    type === '' ||
    type.startsWith('text/') ||
    type === 'application/json' ||
    type.endsWith('+json') ||
    type === 'application/x-ndjson' ||
    type === 'application/xml' ||
    type === 'application/x-subrip' ||
    type === 'application/x-www-form-urlencoded'
  )
}

/** The media type of a Content-Type header: without parameters, in lower case; empty when there is none. */
export function mediaTypeOf(contentType: string | null): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
