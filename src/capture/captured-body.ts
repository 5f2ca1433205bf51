// The beginning of a body as a record keeps it, copied while the body passes.

import { type CutText, textOfBytes } from './cut-text.ts'

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
  readonly #pieces: Uint8Array[] = []
  #kept = 0
  #isCut = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    const room = this.#maxBytes - this.#kept
    if (chunk.length > room) this.#isCut = true
    if (room === 0) return
    // A copy: the chunk is the client's, and a part of it would keep the whole of it in memory.
    const piece = chunk.slice(0, room)
    this.#pieces.push(piece)
    this.#kept += piece.length
  }

  captured(): CapturedText {
    const { text, isCut } = this.#text()
    return { text, isTruncated: isCut }
  }

  #text(): CutText {
    const bytes = new Uint8Array(this.#kept)
    let at = 0
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return textOfBytes(bytes, this.#maxBytes, !this.#isCut)
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
