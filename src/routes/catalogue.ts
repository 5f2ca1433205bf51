// Every path the router serves, as data. What is not listed here does not exist: a worker's other paths are reachable
// only through `passthrough_paths`. Access, body handling and error shape hang on the entry, never on a path prefix.

import type { StreamKind } from '../dialect/stream-tap.ts'

export interface InferenceRoute {
  readonly method: 'POST'
  readonly path: string
  /** Shape of the errors this caller understands. */
  readonly dialect: 'openai' | 'anthropic'
  readonly body: 'json' | 'multipart'
  /** What a streamed answer looks like; routes that never stream have `other`. */
  readonly streamKind: StreamKind
  /** Whether answers could come from a response cache. */
  readonly isCacheable: boolean
  /** Whether the worker keeps the answer under an id that later requests refer to. */
  readonly storesResponse: boolean
}

const PLAIN = {
  method: 'POST',
  dialect: 'openai',
  body: 'json',
  streamKind: 'other',
  isCacheable: false,
  storesResponse: false,
} as const satisfies Omit<InferenceRoute, 'path'>

export const INFERENCE_ROUTES: readonly InferenceRoute[] = [
  { ...PLAIN, path: '/v1/chat/completions', streamKind: 'chat', isCacheable: true },
  { ...PLAIN, path: '/v1/completions', streamKind: 'completions', isCacheable: true },
  { ...PLAIN, path: '/v1/responses', streamKind: 'responses', storesResponse: true },
  { ...PLAIN, path: '/v1/messages', dialect: 'anthropic', streamKind: 'messages' },
  { ...PLAIN, path: '/v1/messages/count_tokens', dialect: 'anthropic' },
  { ...PLAIN, path: '/v1/embeddings' },
  { ...PLAIN, path: '/v1/rerank' },
  { ...PLAIN, path: '/v2/rerank' },
  { ...PLAIN, path: '/rerank' },
  { ...PLAIN, path: '/v1/score' },
  { ...PLAIN, path: '/score' },
  { ...PLAIN, path: '/classify' },
  { ...PLAIN, path: '/pooling' },
  { ...PLAIN, path: '/tokenize' },
  { ...PLAIN, path: '/detokenize' },
  { ...PLAIN, path: '/v1/audio/transcriptions', body: 'multipart' },
  { ...PLAIN, path: '/v1/audio/translations', body: 'multipart' },
]

/** Requests about a stored response; they go to the worker that created it. */
export interface StoredResponseRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** What follows the id in the worker's path. */
  readonly suffix: string
}

export const STORED_RESPONSE_ROUTES: readonly StoredResponseRoute[] = [
  { method: 'GET', path: '/v1/responses/:id', suffix: '' },
  { method: 'DELETE', path: '/v1/responses/:id', suffix: '' },
  { method: 'POST', path: '/v1/responses/:id/cancel', suffix: '/cancel' },
]

/** Answered by the router itself. */
export const OWN_ROUTES: readonly { readonly method: 'GET'; readonly path: string }[] = [
  { method: 'GET', path: '/health' },
  { method: 'GET', path: '/liveness' },
  { method: 'GET', path: '/readiness' },
  { method: 'GET', path: '/version' },
  { method: 'GET', path: '/v1/models' },
  // Ids hold slashes, so the rest of the path is the id.
  { method: 'GET', path: '/v1/models/*' },
]
