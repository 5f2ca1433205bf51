// What of a request comes from its JSON body: read once when it arrives, and again when a hook has changed it.

import { parseJsonBody, readSteering } from '../dialect/json-body.ts'
import { bodyForModel } from '../dialect/splice.ts'
import type { InferenceRequest } from './inference-request.ts'

export type JsonRequest = Pick<
  InferenceRequest,
  'bodyFor' | 'canResend' | 'json' | 'requestedModel' | 'wantsStream' | 'storedResponseId'
>

/** Throws `RouterError` for a body that can't be routed. */
export function readJsonRequest(bytes: Uint8Array<ArrayBuffer>): JsonRequest {
  const body = parseJsonBody(bytes)
  const { model, stream, previousResponseId } = readSteering(body.value)
  return {
    bodyFor: bodyForModel(body),
    canResend: true,
    json: body.value,
    requestedModel: model,
    wantsStream: stream,
    storedResponseId: previousResponseId,
  }
}
