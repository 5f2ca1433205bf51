// Which worker holds a stored response: looked up for requests that refer to one, remembered for those that create one.

import { RouterError } from '../errors/router-error.ts'
import type { ResponseOwner } from '../store/fleet-store.ts'
import type { Exchange } from './exchange.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RouterParts } from './router-parts.ts'
import { withinStoreCall } from './store-call.ts'

/** Ids are put into a worker's path, so they hold nothing that means something there. */
const RESPONSE_ID = /^[A-Za-z0-9_-]{1,200}$/

/**
 * The worker that holds a response of this caller. Throws `invalid_request` for an id that can't be one, and
 * `response_not_found` in the same words whether nobody made it or somebody else did.
 */
export async function findResponseOwner(
  parts: RouterParts,
  exchange: Pick<Exchange, 'party' | 'tracing'>,
  responseId: string,
): Promise<ResponseOwner> {
  if (!RESPONSE_ID.test(responseId)) {
    throw new RouterError('invalid_request', 'A response id has letters, digits, `_` and `-` only.', {
      param: 'response_id',
    })
  }
  const owner = await withinStoreCall(exchange, 'find_response', parts.platform.fleet.findResponse(responseId))
  if (owner === null || owner.tenant !== exchange.party) {
    throw new RouterError(
      'response_not_found',
      'No response with this id is known here: it was never created, was deleted, or has expired.',
      { param: 'response_id' },
    )
  }
  return owner
}

/** Whether a caller gives the response that it wants stored an id of its own, as vLLM lets it. */
export function choosesResponseId({ onResponseId, json }: InferenceRequest): boolean {
  return onResponseId !== null && typeof json?.['request_id'] === 'string'
}

/** Throws `invalid_request` for an id that others have: under it the worker would put this response in place of theirs. */
export async function checkChosenId(
  parts: RouterParts,
  exchange: Pick<Exchange, 'party' | 'tracing'>,
  { json }: InferenceRequest,
): Promise<void> {
  const found = parts.platform.fleet.findResponse(String(json?.['request_id']))
  const owner = await withinStoreCall(exchange, 'find_response', found)
  if (owner === null || owner.tenant === exchange.party) return
  throw new RouterError('invalid_request', 'This `request_id` is taken; leave it out, and the worker makes one up.', {
    param: 'request_id',
  })
}

/** Remembers worker and maker for as long as the configuration says. A store that fails must not fail the answer. */
export async function rememberResponse(
  parts: RouterParts,
  exchange: Pick<Exchange, 'party' | 'tracing'>,
  { responseId, workerId }: { readonly responseId: string; readonly workerId: string },
): Promise<void> {
  const { config, platform, events } = parts
  try {
    const expiresAtMs = platform.now() + config.responseTtlMs
    const told = platform.fleet.rememberResponse(responseId, { workerId, tenant: exchange.party }, expiresAtMs)
    await withinStoreCall(exchange, 'remember_response', told)
  } catch (cause) {
    events.defect(responseId, cause)
  }
}
