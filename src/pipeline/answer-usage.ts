// The counts in an answer that is too long to be read whole: JSON has them near its end, but for the long fields that a
// caller may ask for, which come after them.

import { joinBytes } from '../dialect/join-bytes.ts'
import { readUsage, type TokenUsage } from '../dialect/usage.ts'
import type { ByteReader } from '../platform.ts'
import { tailOf } from './answer-body.ts'

export interface WatchedAnswer {
  readonly reader: ByteReader
  /** The last counts that came by. */
  usage(): TokenUsage | null
}

export interface WatchOptions {
  /** What was read before. */
  readonly head: Uint8Array | null
  /** Whether counts are looked for in all of it, as a limit goes by them, and not at its end alone. */
  readonly searchesAll: boolean
}

export function watchUsage(reader: ByteReader, { head, searchesAll }: WatchOptions): WatchedAnswer {
  let tail: Uint8Array = new Uint8Array(0)
  let found: TokenUsage | null = null

  function take(bytes: Uint8Array): void {
    // Counts may lie across two chunks.
    if (searchesAll) found = readUsage(joinBytes([tail, bytes])) ?? found
    tail = tailOf(joinBytes([tail, tailOf(bytes)]))
  }

  if (head !== null) take(head)
  return {
    reader: {
      async read() {
        const chunk = await reader.read()
        if (chunk.value !== undefined) take(chunk.value)
        return chunk
      },
    },
    usage: () => readUsage(tail) ?? found,
  }
}
