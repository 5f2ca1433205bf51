// A captured request as a command for a POSIX shell that sends it again. Whatever the body holds, the shell takes it for
// text; and no key is in it, only the name of the variable that holds one.

import type { ReplayRecord } from './replay-record.ts'

/** The longest argument that Linux takes is 128 KiB. */
const MAX_ARGUMENT_LENGTH = 30_000

/** What a record must have, and how, to be sent again. */
export interface ResendableRequest {
  readonly path: string
  readonly body: string
}

/** The request of a record; else why it can't be sent again. */
export function resendable(record: ReplayRecord): ResendableRequest | { readonly refusal: string } {
  const { request_body: body, request_body_omitted: omitted, route } = record
  if (omitted !== undefined) return { refusal: `its body was ${omitted}, of which nothing is kept` }
  if (body === undefined) return { refusal: 'it came without a body, or `capture_request_body` was off' }
  if (record.request_body_truncated) return { refusal: 'its request body was cut at `max_body_bytes`' }
  // A route with a parameter is one about a stored response, which may be gone, and takes no body.
  if (route.includes(':')) return { refusal: 'it is about a stored response' }
  // With a model it was JSON, which is UTF-8; then the sign for what is none is one that the caller wrote.
  if (body.includes('\ufffd') && record.original_model === undefined) {
    return { refusal: 'its request body was no UTF-8, and is kept with signs in place of what was none' }
  }
  if (body.includes('\0')) return { refusal: 'its request body holds a NUL, which no shell takes' }
  return { path: route, body }
}

/** `origin` is the router's address, such as `https://router.example.com`. */
export function toCurl({ path, body }: ResendableRequest, origin: string): string {
  const head = [
    `curl --silent --show-error --no-buffer -X POST ${quoted(origin + path)}`,
    '-H "Authorization: Bearer $ROUTER_API_KEY"',
    `-H ${quoted('Content-Type: application/json')}`,
  ]
  if (body.length <= MAX_ARGUMENT_LENGTH) return `${[...head, `--data-raw ${quoted(body)}`].join(' \\\n  ')}\n`
  const mark = unusedMark(body)
  // JSON may end with the line feed that a here-document ends with.
  return `${[...head, `--data-binary @- <<'${mark}'`].join(' \\\n  ')}\n${body}\n${mark}\n`
}

/** Inside single quotes a shell takes everything as it is, but for the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function unusedMark(body: string): string {
  const lines = new Set(body.split('\n'))
  for (let number = 0; ; number += 1) {
    const mark = `BODY${number}`
    if (!lines.has(mark)) return mark
  }
}
