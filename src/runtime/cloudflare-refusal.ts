// The answer of a Worker that can't serve: no key was configured, or its configuration is not valid or can't be had. There is no router
// then, but the contract of an answer holds all the same.

import { errorBody } from '../dialect/error-body.ts'
import { RouterError } from '../errors/router-error.ts'
import { requestIdOf } from '../middleware/request-id.ts'
import { causeText } from '../observe/log/cause-text.ts'
import { toEntry } from '../observe/log/entry.ts'
import { HEADER_ATTEMPTS, HEADER_METHOD, HEADER_REQUEST_ID } from '../pipeline/routing-headers.ts'
import type { LogEntry } from '../platform.ts'
import { INFERENCE_ROUTES } from '../routes/catalogue.ts'

export function toRefusal(request: Request, error: unknown, log: (entry: LogEntry) => void): Response {
  const known = error instanceof RouterError ? error : new RouterError('internal_error', 'The router failed to start.')
  // The cause is for the log; the caller gets the words above.
  const requestId = requestIdOf(request.headers, () => crypto.randomUUID().replaceAll('-', ''))
  if (known !== error) log(toEntry(Date.now(), 'error', 'defect', { request_id: requestId, cause: causeText(error) }))
  const { pathname } = new URL(request.url)
  const route = INFERENCE_ROUTES.find(({ path }) => path === pathname)
  const headers = new Headers({ 'content-type': 'application/json', [HEADER_REQUEST_ID]: requestId })
  if (known.retryAfterSeconds !== null) headers.set('retry-after', String(known.retryAfterSeconds))
  if (route !== undefined) {
    headers.set(HEADER_METHOD, 'rejected')
    headers.set(HEADER_ATTEMPTS, '0')
  }
  return new Response(errorBody(route?.dialect ?? 'openai', known, requestId), {
    status: known.definition.status,
    headers,
  })
}
