// Which headers cross the router, in both directions. Allow-lists: what is not named here does not pass, so a key, a
// cookie or a header that steers another layer can't leak through by being new.

import type { WorkerConfig } from '../config/config.ts'
import type { HeaderMutationConfig } from '../config/decision-config.ts'
import type { AnswerHeaders, HeaderFields } from '../platform.ts'
import { dropBadTraceContext } from '../tracing/trace-context.ts'

/** Request headers that reach a worker as the client sent them. */
const FORWARDED_REQUEST_HEADERS: ReadonlySet<string> = new Set([
  // What the body is, and what answer is wanted.
  'content-type',
  'content-language',
  'accept',
  'accept-language',
  'user-agent',
  // Trace context (W3C); vLLM continues the trace when tracing is on there.
  'traceparent',
  'tracestate',
  'baggage',
  // What routers in front of us found out about the request.
  'x-routed-by',
  'x-model-preference',
  'x-correlation-id',
  'x-session-id',
])

/** Prefix of headers that a semantic router in front of us sets; they pass. */
const FORWARDED_PREFIX = 'x-semantic-'

/** Answer headers that reach the client as the worker sent them. Lengths and encodings are dealt with apart. */
const FORWARDED_ANSWER_HEADERS: readonly string[] = [
  'content-type',
  'content-language',
  'content-disposition',
  'cache-control',
  'retry-after',
]

const TRACE_CONTEXT: ReadonlySet<string> = new Set(['traceparent', 'tracestate', 'baggage'])

/** Visible ASCII and spaces: the values that every runtime sends as they are. */
const PLAIN_VALUE = /^[\x20-\x7e]*$/

export interface RequestHeaderOptions {
  readonly worker: WorkerConfig
  readonly rank: number | null
  readonly requestId: string
  /** The cluster it was chosen within; null for none. */
  readonly cluster: string | null
  /** What a decision changes; null where it changes nothing. */
  readonly changes: HeaderMutationConfig | null
  /** Of the span that the worker continues; null passes on what the caller sent. */
  readonly traceparent: string | null
  /** Extra names from `forward_headers`, lower case. */
  readonly forward: readonly string[]
}

/** The headers of one attempt. A value that is not plain ASCII is left out, since runtimes disagree on how to send it. */
export function toWorkerHeaders(incoming: Headers, options: RequestHeaderOptions): HeaderFields {
  const headers: HeaderFields = {}
  let connection: string | null = null
  let hasTraceContext = false
  // Once over what came: asking for each name that may pass costs a call into the runtime for every one of them. Not by the
  // iterator, which on some runtimes costs ten times as much.
  incoming.forEach((value, name) => {
    if (name === 'connection') connection = value
    if (!isForwarded(name, options.forward) || !PLAIN_VALUE.test(value)) return
    headers[name] = value
    hasTraceContext ||= TRACE_CONTEXT.has(name)
  })
  if (hasTraceContext) dropBadTraceContext(headers)
  for (const name of connectionHeaders(connection)) delete headers[name]
  if (options.changes !== null) changeHeaders(headers, options.changes)
  // What this router found out takes the place of what one in front of it did.
  if (options.cluster !== null) {
    headers['x-semantic-cluster-id'] = options.cluster
    // Under the name that callers know it by, too: logs of workers and of clients are then read side by side.
    headers['x-vllm-router-cluster'] = options.cluster
  }
  // Compressed answers would have to be unpacked here to be read for their end and usage; ask for plain ones.
  headers['accept-encoding'] = 'identity'
  if (options.traceparent !== null) headers['traceparent'] = options.traceparent
  headers['x-request-id'] = options.requestId
  if (options.worker.apiKey !== null) headers['authorization'] = `Bearer ${options.worker.apiKey.reveal()}`
  if (options.rank !== null) headers['x-data-parallel-rank'] = String(options.rank)
  return headers
}

function isForwarded(name: string, extra: readonly string[]): boolean {
  return FORWARDED_REQUEST_HEADERS.has(name) || name.startsWith(FORWARDED_PREFIX) || extra.includes(name)
}

function changeHeaders(headers: HeaderFields, { add, update, delete: gone }: HeaderMutationConfig): void {
  for (const name of gone) delete headers[name.toLowerCase()]
  for (const [name, value] of Object.entries(add)) headers[name.toLowerCase()] ??= value
  for (const [name, value] of Object.entries(update)) headers[name.toLowerCase()] = value
}

/** The worker's headers that the client may see; the length is kept only where the body passes unchanged. */
export function toClientHeaders(answer: AnswerHeaders): HeaderFields {
  return pickPlain(answer, FORWARDED_ANSWER_HEADERS)
}

/** The answer's true length in bytes, or null when it is unknown or was that of an encoding undone on the way in. */
export function answerLength(answer: AnswerHeaders): number | null {
  const encoding = answer.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') return null
  const length = answer.get('content-length')
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null
}

/** Names, in lower case, that `Connection` declares to be of this connection only (RFC 9110, 7.6.1). */
function connectionHeaders(connection: string | null): readonly string[] {
  if (connection === null || connection === 'keep-alive' || connection === 'close') return []
  return connection.split(',').map((option) => option.trim().toLowerCase())
}

/** Those of the named headers whose values every runtime sends alike. */
export function pickPlain(from: AnswerHeaders, names: readonly string[]): HeaderFields {
  const fields: HeaderFields = {}
  for (const name of names) {
    const value = from.get(name)
    if (value !== null && PLAIN_VALUE.test(value)) fields[name] = value
  }
  return fields
}
