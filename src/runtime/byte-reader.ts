// Reads byte streams into memory of our own. Left to itself a runtime may clear 64 KiB for each read, though an event of a
// stream is a few hundred bytes: on Deno that was half of what a stream costs.

import type { ByteReader, ReadChunk } from '../platform.ts'

const FIRST_BYTES = 4 * 1024

/** What a runtime would take. */
const MOST_BYTES = 64 * 1024

/** The declarations of the runtimes disagree. */
interface ReadBytes {
  readonly done: boolean
  readonly value?: Uint8Array<ArrayBuffer> | undefined
}

/** A reader that is asked for one chunk at a time, of a stream of the kind that has BYOB readers. */
export function openByteReader(body: ReadableStream<Uint8Array>): ByteReader {
  const reader = body.getReader({ mode: 'byob' })
  let memory = new ArrayBuffer(FIRST_BYTES)
  const onRead = ({ done, value }: ReadBytes): ReadChunk => {
    if (done || value === undefined) return { done: true }
    const room = value.buffer.byteLength
    if (value.length > room / 2) {
      // Too much to copy: it goes on as it is, and as more may come, the next has more room.
      memory = new ArrayBuffer(Math.min(room * 2, MOST_BYTES))
      return { done, value }
    }
    memory = value.buffer
    return { done, value: value.slice() }
  }
  return { read: () => reader.read(new Uint8Array(memory)).then(onRead) }
}
