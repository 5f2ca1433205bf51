// Worker paths that an operator opened one by one with `passthrough_paths`. They go to a worker the policy chooses,
// with the same access check, headers and record as every other request.

import type { Context } from 'hono'
import type { AppEnv } from '../middleware/app-env.ts'
import { checkContentEncoding, readBody } from '../middleware/read-body.ts'
import { run } from '../pipeline/run.ts'
import { workerTarget } from './target.ts'

/** Methods a passed-through path takes. */
export const PASSTHROUGH_METHODS = ['GET', 'POST'] as const

export function passthrough(path: string): (context: Context<AppEnv>) => Promise<Response> {
  return async function passThrough(context) {
    const { parts, exchange } = context.env
    const request = context.req.raw
    checkContentEncoding(request.headers)
    const body = request.method === 'POST' ? await readBody(parts, request) : null
    if (body !== null) exchange.replay?.noteRequest(body, request.headers.get('content-type'))
    return run(parts, exchange, {
      method: request.method,
      target: workerTarget(path, request.url),
      headers: request.headers,
      bodyFor: () => body,
      canResend: true,
      json: null,
      requestedModel: null,
      needsModel: false,
      wantsStream: false,
      streamKind: 'other',
      storedResponseId: null,
      pinnedWorkerId: null,
      bodyFault: () => null,
      signal: request.signal,
      onResponseId: null,
    })
  }
}
