// The text of a prompt as a record keeps it, for operators who have said that they want it. Off by default, and then no
// text is so much as looked at here.

import { promptText } from '../routing/prompt-beginning.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'

/** How much of it is kept, in bytes of UTF-8. */
export const MAX_REQUEST_TEXT_BYTES = 32 * 1024

/** Notes what the request says now; a hook may change it later. */
export function noteRequestText(exchange: Exchange, { json }: Pick<InferenceRequest, 'json'>): void {
  if (!exchange.config.decisionLog.includesRequestText || json === null) return
  // A unit of UTF-16 takes a byte at least.
  const text = promptText(json, MAX_REQUEST_TEXT_BYTES)
  exchange.requestText = text === null ? null : cutAtBytes(text, MAX_REQUEST_TEXT_BYTES)
}

/** The beginning of a text that fits, without cutting a character in two. */
function cutAtBytes(text: string, maxBytes: number): string {
  // Three bytes are the most that a unit takes.
  if (text.length * 3 <= maxBytes) return text
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes))
  return text.slice(0, read)
}
