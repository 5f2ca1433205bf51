// What a worker is asked for: a path of ours, never one rebuilt from the caller's, with the caller's query.

/** Path and query for the worker. `requestUrl` lends only its query string, byte for byte. */
export function workerTarget(path: string, requestUrl: string): string {
  const queryAt = requestUrl.indexOf('?')
  if (queryAt === -1) return path
  const fragmentAt = requestUrl.indexOf('#', queryAt)
  return path + (fragmentAt === -1 ? requestUrl.slice(queryAt) : requestUrl.slice(queryAt, fragmentAt))
}
