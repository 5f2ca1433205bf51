// A request for a worker once the HTTP surface has read it: what to send, and what the routing may know of it.

import type { RouterError } from '../errors/router-error.ts'
import type { StreamKind } from '../dialect/stream-tap.ts'

export type WorkerBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null

export interface InferenceRequest {
  readonly method: string
  /** Path and query as the worker gets them. */
  readonly target: string
  readonly headers: Headers
  /**
   * What to send in an attempt on `model`: the body as it came when it names that model or when `model` is null, else
   * with the name in its place. Of a body that streams, only the last one given can be read.
   */
  readonly bodyFor: (model: string | null) => WorkerBody
  /** False for a body that streams: what a worker has read of it can't be sent to another. */
  readonly canResend: boolean
  /** Of a body that streams: whether nothing is lost of it yet, so that it can still be sent from its beginning. */
  readonly isBodyUntouched?: () => boolean
  /** The parsed body where it is JSON: read for affinity, never sent. */
  readonly json: Readonly<Record<string, unknown>> | null
  /** Model named by the caller. */
  readonly requestedModel: string | null
  /** Whether the route takes a model at all; a stored response is found by its id instead. */
  readonly needsModel: boolean
  readonly wantsStream: boolean
  /** What a streamed answer's events look like, and so how its end is known. */
  readonly streamKind: StreamKind
  /** The stored response this request is about, or goes on from. */
  readonly storedResponseId: string | null
  /** The worker that holds it, once that has been looked up; null when any will do. */
  readonly pinnedWorkerId: string | null
  /** What is wrong with a body that streams, once that is known; null while nothing is, and for bodies read before. */
  readonly bodyFault: () => RouterError | null
  /** The client's: fires when it leaves. */
  readonly signal: AbortSignal
  /** Called with the id of a response the worker stored, once it is known. */
  readonly onResponseId: ((responseId: string, workerId: string) => Promise<void>) | null
}
