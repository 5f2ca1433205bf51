// A request for a worker once the HTTP surface has read it: what to send, and what the routing may know of it.

import type { RouterError } from '../errors/router-error.ts'
import type { StreamKind } from '../dialect/stream-tap.ts'

export interface InferenceRequest {
  readonly method: string
  /** Path and query as the worker gets them. */
  readonly target: string
  readonly headers: Headers
  /** Bytes can be sent again on another worker, a stream can't. */
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  /** The parsed body where it is JSON: read for affinity, never sent. */
  readonly json: Readonly<Record<string, unknown>> | null
  /** Model named by the caller. */
  readonly requestedModel: string | null
  /** Whether the route takes a model at all; a stored response is found by its id instead. */
  readonly needsModel: boolean
  readonly wantsStream: boolean
  /** What a streamed answer's events look like, and so how its end is known. */
  readonly streamKind: StreamKind
  /** The worker that holds the state this request refers to; null when any will do. */
  readonly pinnedWorkerId: string | null
  /** What is wrong with a body that streams, once that is known; null while nothing is, and for bodies read before. */
  readonly bodyFault: () => RouterError | null
  /** The client's: fires when it leaves. */
  readonly signal: AbortSignal
  /** Called with the id of a response the worker stored, once it is known. */
  readonly onResponseId: ((responseId: string, workerId: string) => Promise<void>) | null
}
