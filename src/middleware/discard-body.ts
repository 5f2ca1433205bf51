// Lets a client finish its upload before it is refused. One whose connection ends in the middle of it sees a broken
// connection and never the reason: undici does, on workerd at any size and on Node from about 64 KiB.

import type { Platform } from '../platform.ts'

/** How long a client that is refused may go on sending. */
const DISCARD_MS = 10_000

/** Reads a body to its end and keeps nothing of it. Never rejects. */
export async function discardBody(platform: Pick<Platform, 'after'>, body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader()
  const callOff = platform.after(DISCARD_MS, () => void reader.cancel().catch(() => {}))
  try {
    while (!(await reader.read()).done);
  } catch {
    // Too large, malformed or broken off: the refusal that is under way is as good an answer.
  } finally {
    callOff()
  }
}
