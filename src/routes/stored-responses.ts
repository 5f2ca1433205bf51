// Requests about a stored response (read, cancel, delete, continue): its state lives in one worker's memory, so they go
// to the worker that created it.

import type { Context } from 'hono'
import { RouterError } from '../errors/router-error.ts'
import type { AppEnv } from '../middleware/app-env.ts'
import type { RouterParts } from '../pipeline/router-parts.ts'
import { run } from '../pipeline/run.ts'
import type { ResponseOwner } from '../store/fleet-store.ts'
import type { StoredResponseRoute } from './catalogue.ts'
import { workerTarget } from './target.ts'

/** Ids are put into a worker's path, so they hold nothing that means something there. */
const RESPONSE_ID = /^[A-Za-z0-9_-]{1,200}$/

/** The handler of one route on a stored response. */
export function storedResponse(route: StoredResponseRoute): (context: Context<AppEnv>) => Promise<Response> {
  return async function askOwner(context) {
    const { parts, exchange } = context.env
    const request = context.req.raw
    const responseId = context.req.param('id') ?? ''
    const owner = await findResponseOwner(parts, responseId)
    const answer = await run(parts, exchange, {
      method: route.method,
      target: workerTarget(`/v1/responses/${responseId}${route.suffix}`, request.url),
      headers: request.headers,
      body: null,
      json: null,
      requestedModel: null,
      needsModel: false,
      wantsStream: false,
      streamKind: 'responses',
      pinnedWorkerId: owner.workerId,
      bodyFault: () => null,
      signal: request.signal,
      onResponseId: null,
    })
    if (route.method === 'DELETE' && answer.ok) await parts.platform.fleet.forgetResponse(responseId)
    return answer
  }
}

/** The worker that holds a response. Throws `invalid_request` for an id that can't be one, else `response_not_found`. */
export async function findResponseOwner(parts: RouterParts, responseId: string): Promise<ResponseOwner> {
  if (!RESPONSE_ID.test(responseId)) {
    throw new RouterError('invalid_request', 'A response id has letters, digits, `_` and `-` only.', {
      param: 'response_id',
    })
  }
  const owner = await parts.platform.fleet.findResponse(responseId)
  if (owner === null) {
    throw new RouterError(
      'response_not_found',
      'No response with this id is known here: it was never created, was deleted, or has expired.',
      { param: 'response_id' },
    )
  }
  return owner
}

/** Remembers the worker for as long as the configuration says. A store that fails must not fail the answer. */
export async function rememberResponse(parts: RouterParts, responseId: string, workerId: string): Promise<void> {
  const { config, platform, events } = parts
  try {
    const expiresAtMs = platform.now() + config.responseTtlMs
    await platform.fleet.rememberResponse(responseId, { workerId, tenant: null }, expiresAtMs)
  } catch (cause) {
    events.defect(responseId, cause)
  }
}
