// The id that ties a client's log to ours, the worker's and the record: the client's own when it is fit to be passed on.

const ACCEPTABLE = /^[A-Za-z0-9._-]{1,128}$/

/** The client's `x-request-id` when it is plain and short, else a new one. */
export function requestIdOf(headers: Headers, randomId: () => string): string {
  const offered = headers.get('x-request-id')
  return offered !== null && ACCEPTABLE.test(offered) ? offered : `req-${randomId()}`
}
