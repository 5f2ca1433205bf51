// The first-token gate: a stream's headers are held until the worker's first event, so that a worker that dies before it
// can still be replaced.

import { joinBytes } from '../dialect/join-bytes.ts'
import type { StreamTap } from '../dialect/stream-tap.ts'
import type { ByteReader } from '../platform.ts'
import type { Answer } from '../upstream/send.ts'
import type { OpenedBody } from './attempt-result.ts'

/** A stream whose first event has come. */
export interface OpenedStream extends OpenedBody {
  readonly tap: StreamTap
}

/** Waits for the first whole event, past comments. Null when the stream ended, broke or was interrupted before it. */
export async function waitForFirstEvent(
  answer: Answer,
  reader: ByteReader,
  tap: StreamTap,
): Promise<OpenedStream | null> {
  // Not every runtime fails a pending read when the request is aborted, so the interruption is waited for as well.
  const interrupted = new Promise<null>((resolve) => answer.onInterrupt(() => resolve(null)))
  const read: Uint8Array[] = []
  try {
    for (;;) {
      const chunk = await Promise.race([reader.read(), interrupted])
      if (chunk === null || chunk.done || chunk.value === undefined) return null
      answer.touch()
      const bytes = tap.push(chunk.value)
      if (bytes !== null) read.push(bytes)
      if (tap.state.firstEventSeen) return { reader, tap, head: joinBytes(read) }
    }
  } catch {
    // Reset or cut: for the caller the same as an end before the first event.
    return null
  }
}
