// Answers that are not streams, as uvicorn sends them: compact JSON with its length.

const encoder = new TextEncoder()

/** JSON with a content length. */
export function jsonResponse(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return textResponse(JSON.stringify(body), { status, headers: { ...headers, 'content-type': 'application/json' } })
}

/** A text, by default plain, with a content length. */
export function textResponse(text: string, init: { status?: number; headers?: Record<string, string> } = {}): Response {
  const bytes = encoder.encode(text)
  const headers = new Headers({ 'content-type': 'text/plain; charset=utf-8', ...init.headers })
  headers.set('content-length', String(bytes.byteLength))
  return new Response(bytes, { status: init.status ?? 200, headers })
}

/** No content at all, which is what /health says. */
export function emptyResponse(status = 200): Response {
  return new Response(null, { status, headers: { 'content-length': '0' } })
}

/** One event of a stream; named when the dialect names its events. */
export function sseEvent(data: unknown, name?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return name === undefined ? `data: ${text}\n\n` : `event: ${name}\ndata: ${text}\n\n`
}
