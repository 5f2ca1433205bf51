// Has the worker count the tokens of a stream whose tenant has a limit on them: asks for usage where the caller did not,
// and then keeps the chunk that brings it from the caller.

import { asksForUsage, withUsageAsked } from '../dialect/usage-request.ts'
import type { StreamKind } from '../dialect/stream-tap.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest, WorkerBody } from './inference-request.ts'

/** Kinds of streams that have usage only when it is asked for. */
const SILENT_KINDS: ReadonlySet<StreamKind> = new Set(['chat', 'completions'])

/** The request as workers get it. Unchanged unless its tokens have to be counted and would not be. */
export function requestUsage({ tenant }: Pick<Exchange, 'tenant'>, request: InferenceRequest): InferenceRequest {
  const { json, streamKind, wantsStream } = request
  const isCounted = (tenant?.tokensPerMinute ?? null) !== null
  if (!isCounted || !wantsStream || !SILENT_KINDS.has(streamKind) || json === null || asksForUsage(json)) return request
  const received = request.bodyFor(null)
  const asking = askIn(received)
  // A body that can't be made to ask is one that workers refuse.
  if (asking === null) return request
  let last: { readonly own: WorkerBody; readonly bytes: WorkerBody } = { own: received, bytes: asking }
  return {
    ...request,
    streamKind: 'unasked_usage',
    bodyFor(model) {
      const own = request.bodyFor(model)
      // Attempts after the first mostly want the same body again, and bodies are big.
      if (last.own !== own) last = { own, bytes: askIn(own) ?? own }
      return last.bytes
    },
  }
}

function askIn(body: WorkerBody): Uint8Array<ArrayBuffer> | null {
  return body instanceof Uint8Array ? withUsageAsked(body) : null
}
