// The end of an answer that is too long to be read whole, where JSON has its usage.

import { joinBytes } from '../dialect/join-bytes.ts'
import type { ByteReader } from '../upstream/relay.ts'
import { tailOf } from './answer-body.ts'

export interface WatchedAnswer {
  readonly reader: ByteReader
  /** The last bytes that were read. */
  tail(): Uint8Array
}

/** `head` is what was read before. */
export function watchTail(reader: ByteReader, head: Uint8Array | null): WatchedAnswer {
  let tail: Uint8Array = head === null ? new Uint8Array(0) : tailOf(head).slice()
  return {
    reader: {
      async read() {
        const chunk = await reader.read()
        if (chunk.value !== undefined) tail = tailOf(joinBytes([tail, tailOf(chunk.value)]))
        return chunk
      },
    },
    tail: () => tail,
  }
}
