// Requests about a stored response (read, cancel, delete): its state lives in one worker's memory, so they go to the
// worker that created it.

import type { Context } from 'hono'
import type { AppEnv } from '../middleware/app-env.ts'
import { run } from '../pipeline/run.ts'
import type { StoredResponseRoute } from './catalogue.ts'
import { workerTarget } from './target.ts'

/** The handler of one route on a stored response. */
export function storedResponse(route: StoredResponseRoute): (context: Context<AppEnv>) => Promise<Response> {
  return async function askOwner(context) {
    const { parts, exchange } = context.env
    const request = context.req.raw
    const responseId = context.req.param('id') ?? ''
    const answer = await run(parts, exchange, {
      method: route.method,
      target: workerTarget(`/v1/responses/${responseId}${route.suffix}`, request.url),
      headers: request.headers,
      bodyFor: () => null,
      canResend: true,
      json: null,
      requestedModel: null,
      needsModel: false,
      wantsStream: false,
      streamKind: 'responses',
      storedResponseId: responseId,
      pinnedWorkerId: null,
      bodyFault: () => null,
      signal: request.signal,
      onResponseId: null,
    })
    if (route.method === 'DELETE' && answer.ok) await parts.platform.fleet.forgetResponse(responseId)
    return answer
  }
}
